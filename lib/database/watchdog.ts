/**
 * Ends the process when the embedded database hangs, so that its supervisor starts it anew and the journal heals it.
 *
 * After a full disk the server aborts; every later query either never answers or never returns, which blocks the whole
 * process. So there are two watchers: this one, which can still say why, and a thread that kills when even this one is stuck.
 */
import { Worker } from 'node:worker_threads';
import type { Log } from '../contract.js';
import type { StartedPGlite } from './pglite.js';

const PROBE_EVERY_MS = 5_000;

/**
 * A probe that takes longer has hung. Only seconds count in which this process got round: while a long statement runs, on
 * a machine that has hardly any time for it, nothing can answer.
 */
const PROBE_LIMIT_SECONDS = 10;

/** The thread kills after this many of its own seconds without a sign of life; a suspended machine counts none. */
const SILENT_SECONDS = 45;

/** The protocol's Sync message: the shortest question there is, and it disturbs no transaction. */
const SYNC = Uint8Array.of(0x53, 0, 0, 0, 4);

export interface WatchdogOptions {
  readonly log: Log;
  /** For tests, which do not want to wait for as long. */
  readonly silentSeconds?: number;
}

export function watch(
  database: StartedPGlite,
  options: WatchdogOptions,
): { stop(): Promise<void> } {
  const { pglite } = database;
  const end = (reason: string): void => {
    options.log.error({ words: database.lastWords() }, reason);
    process.exit(1);
  };
  database.onAbort(() =>
    end('the embedded database gave up (is the disk full?): ending this process'),
  );

  const thread = new Worker(new URL('./watchdog-thread.js', import.meta.url), {
    workerData: { silentSeconds: options.silentSeconds ?? SILENT_SECONDS },
    execArgv: [],
  });
  thread.unref();

  let probe: Promise<void> | null = null;
  const timer = setInterval(() => {
    if (probe) return;
    let seconds = 0;
    const limit = setInterval(() => {
      seconds += 1;
      if (seconds < PROBE_LIMIT_SECONDS) return;
      end('the embedded database does not answer: ending this process');
    }, 1_000);
    probe = pglite
      .execProtocolRaw(SYNC)
      .then((answer) => {
        if (answer.length === 0) return;
        clearInterval(limit);
        thread.postMessage('alive');
      })
      .catch((error: unknown) => {
        clearInterval(limit);
        if (!pglite.closed) end(`the embedded database failed: ${String(error)}`);
      })
      .finally(() => {
        probe = null;
      });
  }, PROBE_EVERY_MS);
  timer.unref();

  return {
    stop: async () => {
      clearInterval(timer);
      await probe;
      await thread.terminate();
    },
  };
}
