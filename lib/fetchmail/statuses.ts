/** What the fetcher says of the queries, asked through the helper and remembered for a moment. */
import type { Helper } from '../client/helper.js';
import { HelperError } from '../errors.js';
import type { QueryStatus } from '../fetcher/status.js';

/** A list may be this old without anybody asking, in milliseconds; beyond, it is asked for while the old one is shown. */
const FRESH_MS = 3_000;
/** Older than this, a page waits for the answer. */
const STALE_MS = 60_000;
const TIMEOUT_MS = 10_000;

export interface Statuses {
  /** By id of the query. */
  readonly queries: Readonly<Record<string, QueryStatus>>;
  /** Whether fetchmail is there at all, and whether anybody looks for mail by itself. */
  readonly installed: boolean;
  readonly running: boolean;
  /** Why nothing newer is known; null when all is well. */
  readonly failure: HelperError | null;
}

export interface StatusWatch {
  all(): Promise<Statuses>;
  /** One, with its dialogue, as it is now. */
  one(id: string): Promise<QueryStatus | null>;
  forget(): void;
}

const UNKNOWN: Statuses = { queries: {}, installed: true, running: true, failure: null };

export function createStatusWatch(helper: Helper | null): StatusWatch {
  let known: { readonly statuses: Statuses; readonly at: number } = {
    statuses: UNKNOWN,
    at: -Infinity,
  };
  let asking: Promise<void> | null = null;

  const ask = async (): Promise<void> => {
    if (helper === null) return;
    try {
      const options = { actor: 'pages', timeoutMs: TIMEOUT_MS };
      const answer = await helper.call('fetchmail-status', { id: null }, options);
      known = { statuses: { ...answer, failure: null }, at: Date.now() };
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      known = { statuses: { ...known.statuses, failure: error }, at: Date.now() };
    }
  };

  return {
    async all() {
      const age = Date.now() - known.at;
      if (age > FRESH_MS) asking ??= ask().finally(() => (asking = null));
      if (age > STALE_MS) await asking;
      else asking?.catch(() => undefined);
      return known.statuses;
    },
    async one(id) {
      if (helper === null) return null;
      try {
        const options = { actor: 'pages', timeoutMs: TIMEOUT_MS };
        return (await helper.call('fetchmail-status', { id }, options)).queries[id] ?? null;
      } catch (error) {
        if (!(error instanceof HelperError)) throw error;
        return null;
      }
    },
    forget() {
      known = { ...known, at: Math.min(known.at, Date.now() - FRESH_MS - 1) };
    },
  };
}
