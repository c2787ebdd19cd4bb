/** Releases and deletions that run in the background: begun, watched, stopped. They are kept while this process lives. */
import { randomUUID } from 'node:crypto';
import type { Helper } from '../client/helper.js';
import type { Log } from '../contract.js';
import { HelperError, type HelperFailure } from '../errors.js';
import {
  MAX_ITEM_IDS,
  MAX_TOLD_FAILURES,
  type QuarantineAction,
  type QuarantineActResult,
} from './schema.js';

const MAX_KEPT = 50;

export interface QuarantineJob {
  readonly id: string;
  readonly action: QuarantineAction;
  readonly actor: string;
  readonly startedAt: Date;
  readonly total: number;
  readonly settled: number;
  readonly result: QuarantineActResult | null;
  /** Why all of it ended early. */
  readonly failure: HelperFailure | null;
}

export interface QuarantineJobs {
  /** Starts it and waits for at most `waitMs`: a small one is over then. */
  begin(
    wish: {
      readonly action: QuarantineAction;
      readonly ids: readonly string[];
      readonly evenInfected: boolean;
    },
    actor: string,
    waitMs: number,
  ): Promise<QuarantineJob>;
  get(id: string): QuarantineJob | null;
  running(): readonly QuarantineJob[];
  cancel(id: string): void;
  close(): Promise<void>;
}

export function createQuarantineJobs(
  helper: Helper,
  { log, onEnd }: { readonly log: Log; readonly onEnd: () => void },
): QuarantineJobs {
  type Kept = {
    job: { -readonly [Name in keyof QuarantineJob]: QuarantineJob[Name] };
    abort: AbortController;
    end: Promise<void>;
  };
  const kept = new Map<string, Kept>();
  const isRunning = ({ result, failure }: QuarantineJob): boolean =>
    result === null && failure === null;

  return {
    async begin({ action, ids: given, evenInfected }, actor, waitMs) {
      const ids = [...new Set(given)];
      const abort = new AbortController();
      const job: Kept['job'] = {
        ...{ id: randomUUID(), action, actor, startedAt: new Date() },
        ...{ total: ids.length, settled: 0, result: null, failure: null },
      };
      let result: QuarantineActResult = { ...NOTHING_YET, left: ids.length };
      const act = async (): Promise<void> => {
        while (result.left > 0 && !result.cancelled) {
          const rest = ids.slice(-result.left);
          const before = ids.length - rest.length;
          const slice = await helper.call(
            'quarantine-act',
            { action, evenInfected },
            {
              actor,
              signal: abort.signal,
              input: pieces(rest),
              onProgress: ({ done }) => void (job.settled = before + done),
            },
          );
          const stopped = slice.left > 0 && abort.signal.aborted;
          if (slice.left === rest.length && !stopped) throw new Error('it comes no further');
          result = together(result, { ...slice, cancelled: stopped });
        }
        job.result = result;
      };
      const end = act()
        .catch((error: unknown) => {
          // What was done before stays done.
          if (result.left < ids.length) job.result = result;
          job.failure = error instanceof HelperError ? error.toFailure() : UNKNOWN;
          log.warn({ err: error }, 'an action on the quarantine failed');
        })
        .finally(onEnd);
      for (const [id, { job: old }] of kept) {
        if (kept.size < MAX_KEPT) break;
        if (!isRunning(old)) kept.delete(id);
      }
      kept.set(job.id, { job, abort, end });
      await within(end, waitMs);
      return job;
    },
    get: (id) => kept.get(id)?.job ?? null,
    running: () => [...kept.values()].map(({ job }) => job).filter(isRunning),
    cancel: (id) => kept.get(id)?.abort.abort(),
    async close() {
      for (const { abort } of kept.values()) abort.abort();
      await Promise.all([...kept.values()].map(({ end }) => end));
    },
  };
}

const UNKNOWN: HelperFailure = {
  ...{ stage: 'run', key: 'helper.run.failed', values: {}, detail: '', restored: false },
};

const NOTHING_YET: QuarantineActResult = {
  ...{ done: 0, gone: 0, failed: 0, unlearnt: 0, failures: [], left: 0, cancelled: false },
};

function together(former: QuarantineActResult, slice: QuarantineActResult): QuarantineActResult {
  return {
    done: former.done + slice.done,
    gone: former.gone + slice.gone,
    failed: former.failed + slice.failed,
    unlearnt: former.unlearnt + slice.unlearnt,
    failures: [...former.failures, ...slice.failures].slice(0, MAX_TOLD_FAILURES),
    left: slice.left,
    cancelled: slice.cancelled,
  };
}

function* pieces(ids: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < ids.length; at += MAX_ITEM_IDS) yield ids.slice(at, at + MAX_ITEM_IDS);
}

async function within(end: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([end, late]);
  clearTimeout(timer);
}
