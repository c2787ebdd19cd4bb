/**
 * Putting the chain right takes minutes, and so does fetching, so no page waits for it: it runs by itself, one at a time, and its page asks how
 * far it is. The helper goes on when nobody asks any more.
 */
import { randomUUID } from 'node:crypto';
import { HelperError, type HelperFailure } from '../errors.js';
import type { ResultOf } from '../privileged/actions/index.js';

/** What a task does: puts the chain right, or fetches newer signatures or rules. */
export type TaskKind = 'repair' | 'update';
export type TaskResult = ResultOf<'security-repair'> | ResultOf<'security-update'>;

export type TaskState =
  | { readonly state: 'running' }
  | { readonly state: 'done'; readonly result: TaskResult }
  | { readonly state: 'failed'; readonly failure: HelperFailure };

export interface Task {
  readonly id: string;
  readonly kind: TaskKind;
  readonly startedAt: Date;
  /** The step that is under way; '' before the first. */
  readonly step: string;
  readonly done: number;
  /** Null as long as nobody knows. */
  readonly total: number | null;
  readonly now: TaskState;
}

type OnStep = (step: string, done: number, total: number | null) => void;

export interface Tasks {
  /** Starts one; null while another is under way. */
  start(
    kind: TaskKind,
    work: (onStep: OnStep, signal: AbortSignal) => Promise<TaskResult>,
  ): string | null;
  /** The last one, also when it has ended. */
  last(): Task | null;
  /** Stops listening. */
  close(): Promise<void>;
}

export function createTasks(): Tasks {
  let task: Task | null = null;
  let running: Promise<void> | null = null;
  const abort = new AbortController();

  const update = (change: Partial<Task>): void => {
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
