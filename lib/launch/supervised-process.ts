/** A long-running program of ours: started, waited for until it is ready, started again after a crash, stopped. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

/** How long a program has to say that it is ready, in milliseconds. A cold embedded database takes some seconds. */
const READY_LIMIT_MS = 180_000;
/** How long a program has to end after SIGTERM before it is killed, in milliseconds. */
const STOP_LIMIT_MS = 10_000;
/** A program that crashes more often than this within `CRASH_WINDOW_MS` is given up. */
const CRASH_LIMIT = 5;
const CRASH_WINDOW_MS = 60_000;
/** Pause before a crashed program is started again, in milliseconds. */
const RESTART_PAUSE_MS = 500;

export interface ProgramStart {
  /** For messages. */
  readonly name: string;
  /** Absolute path. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** File descriptor for its stderr. */
  readonly log: number;
}

export interface Supervision {
  /** Called after it was started again. */
  onRestart(): void;
  /** Called once when it is given up. */
  onGivenUp(reason: Error): void;
}

/** The line of JSON with which a program said that it is ready. */
export type Ready = Readonly<Record<string, unknown>>;

/**
 * Starts a program that prints `{"ready":true,...}` as a line of its stdout when it serves.
 * Rejects when it ends or stays silent before that.
 */
export async function startSupervised(
  program: ProgramStart,
  supervision: Supervision,
): Promise<SupervisedProcess> {
  const supervised = new SupervisedProcess(program, supervision);
  await supervised.start();
  return supervised;
}

export class SupervisedProcess {
  readonly #program: ProgramStart;
  readonly #supervision: Supervision;
  readonly #crashes: number[] = [];
  #child: ChildProcess | null = null;
  #pid = 0;
  #ready: Ready = {};
  #stopping = false;

  constructor(program: ProgramStart, supervision: Supervision) {
    this.#program = program;
    this.#supervision = supervision;
  }

  /** Of the one that was ready last; another one when it had to be started again. */
  get pid(): number {
    return this.#pid;
  }

  /** What it said when it was ready. */
  get ready(): Ready {
    return this.#ready;
  }

  async start(): Promise<void> {
    await this.#startOnce();
  }

  /** Resolves when it is gone, also while it was just being started again. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#child) await stopChild(this.#child);
  }

  async #startOnce(): Promise<void> {
    const { name, command, args, env, log } = this.#program;
    const child = spawn(command, args, { env, cwd: '/', stdio: ['ignore', 'pipe', log] });
    this.#child = child;
    try {
      this.#ready = await waitUntilReady(child, name);
      this.#pid = child.pid ?? 0;
      child.once('exit', () => void this.#startAgain());
    } catch (error) {
      await stopChild(child);
      throw error;
    }
  }

  async #startAgain(): Promise<void> {
    while (!this.#stopping) {
      if (this.#crashedTooOften()) {
        this.#supervision.onGivenUp(new Error(`${this.#program.name} ends again and again`));
        return;
      }
      await pause(RESTART_PAUSE_MS);
      if (this.#stopping) return;
      try {
        await this.#startOnce();
        this.#supervision.onRestart();
        return;
      } catch {
        // It counts as one more crash; its own log says why.
      }
    }
  }

  #crashedTooOften(): boolean {
    const now = Date.now();
    this.#crashes.push(now);
    return this.#crashes.filter((time) => now - time < CRASH_WINDOW_MS).length > CRASH_LIMIT;
  }
}

/** Reads its stdout to the end, so that a full pipe never stops it; resolves at the line that says it is ready. */
function waitUntilReady(child: ChildProcess, name: string): Promise<Ready> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(
      () => reject(new Error(`${name} was not ready within ${READY_LIMIT_MS / 1000} s`)),
      READY_LIMIT_MS,
    );
    const fail = (reason: string, cause?: unknown): void => {
      clearTimeout(limit);
      reject(new Error(`${name} ${reason}`, { cause }));
    };
    child.once('error', (error) => fail('could not be started', error));
    child.once('exit', (code, signal) => fail(`ended at its start (${signal ?? `code ${code}`})`));
    if (!child.stdout) return fail('has no output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = parseReady(line);
      if (!said) return;
      clearTimeout(limit);
      resolve(said);
    });
  });
}

function parseReady(line: string): Ready | null {
  try {
    const said: unknown = JSON.parse(line);
    const isReady =
      typeof said === 'object' && said !== null && (said as { ready?: unknown }).ready === true;
    return isReady ? (said as Ready) : null;
  } catch {
    return null;
  }
}

/** SIGTERM, and SIGKILL for what does not listen. */
async function stopChild(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await ended;
  clearTimeout(limit);
}
