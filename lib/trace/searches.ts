/** Searches of the mail log that run in the background: begun, watched, stopped, kept for a while, forgotten. */
import type { Helper } from '../client/helper.js';
import type { Log } from '../contract.js';
import { HelperError, UserError } from '../errors.js';
import type { FoundMessage, SearchEnd, Wanted } from './schema.js';

/** Searches that run at once. */
export const MAX_RUNNING = 4;
/** Searches whose results are kept. */
const MAX_KEPT = 12;
/** So long the results of a search are shown again instead of searching anew, in milliseconds. */
const FRESH_MS = 60_000;
/** So long somebody may turn its pages, in milliseconds. */
const KEPT_MS = 10 * 60_000;
/** A search nobody asks about for so long is stopped, in milliseconds. */
const ABANDONED_MS = 30_000;

export interface LogSearch {
  readonly wanted: Wanted;
  readonly startedAt: Date;
  /** The newest first. */
  readonly found: readonly FoundMessage[];
  /** Bytes of log; `total` is null while nobody knows. */
  readonly searched: number;
  readonly total: number | null;
  /** Null while it runs, or when it failed. */
  readonly end: SearchEnd | null;
  readonly failure: HelperError | null;
}

export function isRunning({ end, failure }: LogSearch): boolean {
  return end === null && failure === null;
}

export interface SearchOptions {
  /** Somebody turns pages of what was found: it is not searched anew. */
  readonly paging: boolean;
  /** Only one that was begun later than this will do, in seconds since 1970; 0 for any. */
  readonly newerThan?: number;
  /** How long to wait for its end, in milliseconds. */
  readonly waitMs: number;
}

export interface LogSearches {
  /** The search of this person for that, begun when there is none. Throws `UserError` when too many run. */
  look(wanted: Wanted, actor: string, options: SearchOptions): Promise<LogSearch>;
  /** Ends it; what was found stays. */
  stop(wanted: Wanted, actor: string): Promise<void>;
  close(): Promise<void>;
}

interface Kept {
  readonly actor: string;
  readonly abort: AbortController;
  readonly done: Promise<void>;
  readonly search: { -readonly [Name in keyof LogSearch]: LogSearch[Name] } & {
    found: FoundMessage[];
  };
  seenAt: number;
}

export function createLogSearches({
  helper,
  log,
  now = () => Date.now(),
}: {
  readonly helper: Helper;
  readonly log: Log;
  readonly now?: () => number;
}): LogSearches {
  const kept = new Map<string, Kept>();
  const keyOf = (wanted: Wanted, actor: string): string => JSON.stringify([actor, wanted]);
  const running = (): Kept[] => [...kept.values()].filter(({ search }) => isRunning(search));
  const ended = (one: Kept): boolean => !isRunning(one.search);

  /** A page that is left asks no more: its search ends. */
  const watch = setInterval(() => {
    for (const one of running()) if (now() - one.seenAt > ABANDONED_MS) one.abort.abort();
  }, ABANDONED_MS / 3);
  watch.unref();

  const begin = (wanted: Wanted, actor: string): Kept => {
    const abort = new AbortController();
    const search: Kept['search'] = {
      ...{ wanted, startedAt: new Date(now()), found: [], searched: 0 },
      ...{ total: null, end: null, failure: null },
    };
    const done = helper
      .call('trace', wanted, {
        actor,
        signal: abort.signal,
        onProgress: ({ done: searched, total, row }) => {
          Object.assign(search, { searched, total });
          if (row !== undefined) search.found.push(row as FoundMessage);
        },
      })
      .then((end) => void Object.assign(search, { end }))
      .catch((error: unknown) => {
        if (abort.signal.aborted) search.end = STOPPED;
        else if (error instanceof HelperError) search.failure = error;
        else throw error;
      });
    done.catch((error: unknown) => log.error({ err: error }, 'the mail log could not be searched'));
    return { actor, abort, done, search, seenAt: now() };
  };

  const forget = (): void => {
    for (const [key, one] of kept) {
      const old = now() - one.search.startedAt.getTime() > KEPT_MS;
      if (ended(one) && (old || kept.size >= MAX_KEPT)) kept.delete(key);
    }
  };

  const usable = (one: Kept, paging: boolean, newerThan: number): boolean => {
    const startedAt = one.search.startedAt.getTime();
    if (!ended(one)) return true;
    const fresh = now() - startedAt < (paging ? KEPT_MS : FRESH_MS);
    return fresh && Math.floor(startedAt / 1000) > newerThan;
  };

  return {
    async look(wanted, actor, { paging, waitMs, newerThan = 0 }) {
      const key = keyOf(wanted, actor);
      let one = kept.get(key);
      if (one === undefined || !usable(one, paging, newerThan)) {
        // One person looks for one thing at a time.
        for (const other of running()) if (other.actor === actor) other.abort.abort();
        forget();
        if (running().filter((other) => other.actor !== actor).length >= MAX_RUNNING) {
          throw new UserError({ key: 'trace.problem.busy', values: { limit: MAX_RUNNING } });
        }
        one = begin(wanted, actor);
        kept.set(key, one);
      }
      one.seenAt = now();
      await within(one.done, waitMs);
      return one.search;
    },
    async stop(wanted, actor) {
      const one = kept.get(keyOf(wanted, actor));
      one?.abort.abort();
      await one?.done;
    },
    async close() {
      clearInterval(watch);
      for (const { abort } of kept.values()) abort.abort();
      await Promise.allSettled([...kept.values()].map(({ done }) => done));
    },
  };
}

/** What a search ends with when its helper did not say. */
const STOPPED: SearchEnd = {
  ...{ limit: 'cancelled', source: 'file', searched: 0, reached: 0, unreadable: [] },
};

async function within(done: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([done, late]);
  clearTimeout(timer);
}
