/** What the scheduler knows of the queries: when to look, and nothing of who gets what. Pure; both ends use it. */
import type { FetchQuery } from './schema.js';

export interface ScheduledQuery {
  readonly id: string;
  /** Seconds. */
  readonly interval: number;
  readonly timeout: number;
}

export interface Schedule {
  /** Where Postfix takes fetched mail, on 127.0.0.1. */
  readonly deliveryPort: number;
  readonly queries: readonly ScheduledQuery[];
}

/** Queries that are switched off are not in it. */
export function renderSchedule(queries: readonly FetchQuery[], deliveryPort: number): string {
  const scheduled: ScheduledQuery[] = queries
    .filter(({ enabled }) => enabled)
    .map(({ id, interval, timeout }) => ({ id, interval, timeout }));
  return `${JSON.stringify({ deliveryPort, queries: scheduled } satisfies Schedule)}\n`;
}

/** Throws a `TypeError` for anything else. */
export function parseSchedule(text: string): Schedule {
  const { deliveryPort, queries } = JSON.parse(text) as Partial<Schedule>;
  const whole = typeof deliveryPort === 'number' && Array.isArray(queries);
  if (!whole || !queries.every(isScheduled)) throw new TypeError('not a schedule');
  return { deliveryPort, queries };
}

function isScheduled(value: unknown): value is ScheduledQuery {
  const { id, interval, timeout } = value as Partial<ScheduledQuery>;
  return (
    typeof id === 'string' &&
    /^[1-9][0-9]{0,17}$/.test(id) &&
    typeof interval === 'number' &&
    typeof timeout === 'number'
  );
}
