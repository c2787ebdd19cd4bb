/**
 * When to look where. Knows a schedule and a way to poll; no clock but the event loop's. One fault of one query touches
 * no other: each has its own process, lock and back-off.
 */
import { isGood, saysNothing, type Outcome } from './status.js';
import type { Schedule, ScheduledQuery } from '../fetchmail/schedule.js';

/** Polls at once. */
export const MAX_PARALLEL = 4;
/** Longest pause after failures, in seconds. */
export const MAX_BACK_OFF_S = 3_600;
/** First pause after the mail server here did not answer, in seconds: that is our fault, and mostly over soon. */
export const AWAY_HERE_S = 15;

export interface SchedulerParts {
  /** Resolves with how it ended; never rejects. */
  readonly poll: (query: ScheduledQuery, deliveryPort: number) => Promise<Outcome>;
  /** Told whenever the next look at a query is known, with the milliseconds until then. */
  readonly onNext: (id: string, pauseMs: number) => void;
  /** How many times in a row a query has failed before this process began. */
  readonly failuresOf: (id: string) => Promise<number>;
  /** Milliseconds of a clock that nobody can set. */
  readonly now: () => number;
}

export interface Scheduler {
  /** Takes another schedule: new queries are due at once, changed intervals count from the last look. */
  follow(schedule: Schedule): void;
  /** Those that wait longer than usual after a failure. */
  failing(): readonly string[];
  /** What it failed by may have been put right: it is due at once. */
  retry(id: string): void;
  /** Starts what is due; resolves with the milliseconds until something is. */
  tick(): number;
  /** Resolves when nothing is being polled. */
  idle(): Promise<void>;
}

interface Entry {
  query: ScheduledQuery;
  dueAt: number;
  failures: number;
  running: Promise<void> | null;
  gone: boolean;
}

/**
 * Seconds until the next look after so many failures in a row: doubled each time, an hour at most, never shorter than usual.
 * A provider must not suffer from them; when it was us who were away, the pause is short and never longer than usual.
 */
export function pauseAfter(interval: number, failures: number, last?: Outcome): number {
  if (failures === 0) return interval;
  if (last === 'awayHere') return Math.min(interval, AWAY_HERE_S * 2 ** Math.min(failures - 1, 20));
  return Math.max(interval, Math.min(interval * 2 ** Math.min(failures, 20), MAX_BACK_OFF_S));
}

export function createScheduler(parts: SchedulerParts): Scheduler {
  const entries = new Map<string, Entry>();
  let deliveryPort = 0;

  const begin = (entry: Entry): void => {
    const { query } = entry;
    entry.running = (async () => {
      const outcome = await parts.poll(query, deliveryPort);
      if (!saysNothing(outcome)) entry.failures = isGood(outcome) ? 0 : entry.failures + 1;
      entry.running = null;
      if (entry.gone) {
        if (entries.get(query.id) === entry) entries.delete(query.id);
        return;
      }
      const pauseMs = pauseAfter(entry.query.interval, entry.failures, outcome) * 1_000;
      entry.dueAt = parts.now() + pauseMs;
      parts.onNext(query.id, pauseMs);
    })();
  };

  return {
    follow(schedule) {
      deliveryPort = schedule.deliveryPort;
      const wanted = new Map(schedule.queries.map((query) => [query.id, query]));
      for (const [id, entry] of entries) {
        entry.gone = !wanted.has(id);
        if (entry.gone && entry.running === null) entries.delete(id);
      }
      for (const [id, query] of wanted) {
        const known = entries.get(id);
        if (known === undefined) {
          const entry = { query, dueAt: parts.now(), failures: 0, running: null, gone: false };
          entries.set(id, entry);
          void parts.failuresOf(id).then((failures) => {
            entry.failures ||= failures;
          });
          continue;
        }
        // A shorter interval holds from now on; whoever saved a query wants to see it work, so failures are forgotten.
        known.failures = 0;
        const soonest = parts.now() + query.interval * 1_000;
        known.dueAt = Math.min(known.dueAt, soonest);
        known.query = query;
      }
    },
    failing() {
      const all = [...entries.values()];
      return all
        .filter(({ failures, running }) => failures > 0 && running === null)
        .map(({ query }) => query.id);
    },
    retry(id) {
      const entry = entries.get(id);
      if (entry === undefined) return;
      entry.failures = 0;
      entry.dueAt = parts.now();
    },
    tick() {
      const due = [...entries.values()]
        .filter(({ running, gone }) => running === null && !gone)
        .toSorted((a, b) => a.dueAt - b.dueAt);
      let free =
        MAX_PARALLEL - [...entries.values()].filter(({ running }) => running !== null).length;
      for (const entry of due) {
        if (entry.dueAt > parts.now()) return entry.dueAt - parts.now();
        if (free <= 0) break;
        free -= 1;
        begin(entry);
      }
      return Infinity;
    },
    async idle() {
      await Promise.all([...entries.values()].flatMap(({ running }) => running ?? []));
    },
  };
}
