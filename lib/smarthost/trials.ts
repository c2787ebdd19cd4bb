/**
 * Tests of the smarthost under way, and their answers while somebody may still look. They wait for a network, so no page
 * waits for them: each runs by itself and its page asks how far it is.
 */
import { randomUUID } from 'node:crypto';
import { HelperError, type HelperFailure } from '../errors.js';
import type { FieldValues } from '../web/fields.js';

/** How long an answer is kept, in milliseconds. */
const KEPT_MS = 30 * 60_000;
/** How many are kept, and how many may run at once. */
const MAX_KEPT = 100;
const MAX_RUNNING = 4;

/** The form a test was started from, to be shown again beside the answer. */
export interface TrialForm {
  readonly values: FieldValues;
  /** Of the password that waits for this form, '' for none. */
  readonly reference: string;
  readonly version: number;
}

export type TrialState<Result> =
  | { readonly state: 'running' }
  | { readonly state: 'done'; readonly result: Result }
  | { readonly state: 'failed'; readonly failure: HelperFailure };

export interface Trial<Result> {
  readonly id: string;
  readonly owner: string;
  readonly startedAt: Date;
  readonly form: TrialForm | null;
  readonly now: TrialState<Result>;
}

export interface Trials<Result> {
  /** Starts one; null when too many are under way. */
  start(
    owner: string,
    form: TrialForm | null,
    work: (signal: AbortSignal) => Promise<Result>,
  ): string | null;
  find(id: string, owner: string): Trial<Result> | null;
  /** Ends what is under way. */
  close(): Promise<void>;
}

export function createTrials<Result>(): Trials<Result> {
  const all = new Map<string, Trial<Result>>();
  const running = new Map<string, Promise<void>>();
  const abort = new AbortController();

  const sweep = (): void => {
    for (const [id, { startedAt }] of all) {
      const old = Date.now() - startedAt.getTime() > KEPT_MS || all.size > MAX_KEPT;
      if (old && !running.has(id)) all.delete(id);
    }
  };

  const settle = (id: string, now: TrialState<Result>): void => {
    const trial = all.get(id);
    if (trial) all.set(id, { ...trial, now });
    running.delete(id);
  };

  return {
    start(owner, form, work) {
      sweep();
      if (running.size >= MAX_RUNNING) return null;
      const id = randomUUID();
      all.set(id, { id, owner, startedAt: new Date(), form, now: { state: 'running' } });
      const done = work(abort.signal).then(
        (result) => settle(id, { state: 'done', result }),
        (error: unknown) => settle(id, { state: 'failed', failure: failureOf(error) }),
      );
      running.set(id, done);
      return id;
    },
    find(id, owner) {
      const trial = all.get(id);
      return trial?.owner === owner ? trial : null;
    },
    async close() {
      abort.abort();
      await Promise.all(running.values());
    },
  };
}

function failureOf(error: unknown): HelperFailure {
  if (error instanceof HelperError) return error.toFailure();
  const detail = error instanceof Error ? error.message : String(error);
  return { stage: 'run', key: 'helper.run.failed', values: {}, detail, restored: true };
}
