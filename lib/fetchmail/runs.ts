/**
 * Tests and fetches somebody started from a page. They wait for a network, so no page waits for them: each runs by
 * itself, and its page asks how far it is. A query that is being fetched is not started a second time.
 */
import { randomUUID } from 'node:crypto';
import type { Looked } from '../fetcher/look.js';
import type { PollResult } from '../fetcher/status.js';
import { HelperError, type HelperFailure } from '../errors.js';
import type { FieldValues } from '../web/fields.js';
import type { QueryValues } from './schema.js';

/** How long an answer is kept, in milliseconds. */
const KEPT_MS = 30 * 60_000;
/** How many are kept, and how many may run at once. */
const MAX_KEPT = 100;
const MAX_RUNNING = 8;
/** Lines of the dialogue that are shown. */
const MAX_LINES = 400;

/** The form a test was started from, to be shown again beside the answer. */
export interface RunForm {
  readonly values: FieldValues;
  readonly lists: Readonly<Record<string, readonly string[]>>;
  /** Of the password that waits for this form, '' for none. */
  readonly reference: string;
  readonly version: number;
}

export type RunState =
  | { readonly state: 'running' }
  | { readonly state: 'done'; readonly result: PollResult; readonly looked: Looked | null }
  | { readonly state: 'failed'; readonly failure: HelperFailure };

export interface Run {
  readonly id: string;
  /** `look`: who would get what. */
  readonly kind: 'test' | 'fetch' | 'look';
  /** Null for a query that was never saved. */
  readonly query: string | null;
  readonly name: string;
  readonly startedAt: Date;
  readonly form: RunForm | null;
  /** What a look was asked about. */
  readonly about: LookAbout | null;
  readonly lines: readonly string[];
  readonly now: RunState;
}

export interface RunOrder {
  readonly kind: Run['kind'];
  readonly query: string | null;
  readonly name: string;
  readonly form?: RunForm | null;
  readonly about?: LookAbout | null;
  readonly work: (onLine: (line: string) => void, signal: AbortSignal) => Promise<RunEnd>;
}

export interface RunEnd {
  readonly result: PollResult;
  readonly looked?: Looked;
}

/** What a look is judged by: the settings it was made with. */
export type LookAbout = Pick<QueryValues, 'envelope' | 'envelopePrefix' | 'users' | 'server'>;

export interface Runs {
  /** Starts one, or gives the fetch of this query that is under way; null when too many are. */
  start(order: RunOrder): string | null;
  find(id: string): Run | null;
  /** The last run of a query that is still known, for its page. */
  last(query: string): Run | null;
  /** Stops listening; a fetch goes on without us. */
  close(): Promise<void>;
}

export function createRuns(): Runs {
  const all = new Map<string, Run & { lines: string[] }>();
  const running = new Map<string, Promise<void>>();
  const abort = new AbortController();

  const sweep = (): void => {
    for (const [id, { startedAt }] of all) {
      const old = Date.now() - startedAt.getTime() > KEPT_MS || all.size > MAX_KEPT;
      if (old && !running.has(id)) all.delete(id);
    }
  };

  const settle = (id: string, now: RunState): void => {
    const run = all.get(id);
    if (run) all.set(id, { ...run, now });
    running.delete(id);
  };

  return {
    start({ kind, query, name, form = null, about = null, work }) {
      sweep();
      const same = [...all.values()].find(
        (run) =>
          kind === 'fetch' && run.kind === kind && run.query === query && running.has(run.id),
      );
      if (same) return same.id;
      if (running.size >= MAX_RUNNING) return null;
      const id = randomUUID();
      const lines: string[] = [];
      const startedAt = new Date();
      const now = { state: 'running' } as const;
      all.set(id, { id, kind, query, name, form, about, lines, startedAt, now });
      const onLine = (line: string): void => {
        lines.push(line);
        if (lines.length > MAX_LINES) lines.shift();
      };
      const done = work(onLine, abort.signal).then(
        ({ result, looked = null }) => settle(id, { state: 'done', result, looked }),
        (error: unknown) => settle(id, { state: 'failed', failure: failureOf(error) }),
      );
      running.set(id, done);
      return id;
    },
    find: (id) => all.get(id) ?? null,
    last: (query) => [...all.values()].findLast((run) => run.query === query) ?? null,
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
