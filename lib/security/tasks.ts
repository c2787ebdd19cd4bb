/**
 * Putting the chain right takes minutes, and so do fetching and testing, so no page waits for it: it runs by itself, one at a
 * time, and its page asks how far it is. The helper goes on when nobody asks any more.
 */
import { randomUUID } from 'node:crypto';
import { HelperError, type HelperFailure } from '../errors.js';

export type TaskState<Result> =
  | { readonly state: 'running' }
  | { readonly state: 'done'; readonly result: Result }
  | { readonly state: 'failed'; readonly failure: HelperFailure };

export interface Task<Kind, Result> {
  readonly id: string;
  /** What it does. */
  readonly kind: Kind;
  readonly startedAt: Date;
  /** The step that is under way; '' before the first. */
  readonly step: string;
  readonly done: number;
  /** Null as long as nobody knows. */
  readonly total: number | null;
  readonly now: TaskState<Result>;
}

type OnStep = (step: string, done: number, total: number | null) => void;
/** What a task does; it may throw at once. */
export type Work<Result> = (onStep: OnStep, signal: AbortSignal) => Promise<Result>;

export interface Tasks<Kind, Result> {
  /** Starts one; null while another is under way. */
  start(kind: Kind, work: Work<Result>): string | null;
  /** The last one, also when it has ended. */
  last(): Task<Kind, Result> | null;
  /** Stops listening. */
  close(): Promise<void>;
}

export function createTasks<Kind, Result>(): Tasks<Kind, Result> {
  let task: Task<Kind, Result> | null = null;
  let running: Promise<void> | null = null;
  const abort = new AbortController();

  const update = (change: Partial<Task<Kind, Result>>): void => {
    if (task !== null) task = { ...task, ...change };
  };

  return {
    start(kind, work) {
      if (running !== null) return null;
      const id = randomUUID();
      const startedAt = new Date();
      task = { id, kind, startedAt, step: '', done: 0, total: null, now: { state: 'running' } };
      running = Promise.resolve()
        .then(() => work((step, done, total) => update({ step, done, total }), abort.signal))
        .then(
          (result) => update({ now: { state: 'done', result } }),
          (error: unknown) => update({ now: { state: 'failed', failure: failureOf(error) } }),
        )
        .finally(() => {
          running = null;
        });
      return id;
    },
    last: () => task,
    async close() {
      abort.abort();
      await running;
    },
  };
}

function failureOf(error: unknown): HelperFailure {
  if (error instanceof HelperError) return error.toFailure();
  const detail = error instanceof Error ? error.message : String(error);
  return { stage: 'run', key: 'helper.run.failed', values: {}, detail, restored: true };
}
