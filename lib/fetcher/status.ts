/** What is known of a query's polls. Written by the fetcher, read by the pages through the helper. */

/** How a poll ended. */
export const OUTCOMES = [
  'fetched',
  'nothing',
  'login',
  'basicLogin',
  'later',
  'certificate',
  'certificateName',
  'noTls',
  'unknownHost',
  'unreachable',
  'timeout',
  'mailboxBusy',
  'alreadyFetching',
  'refusedHere',
  'diskHere',
  'awayHere',
  'protocol',
  'dropped',
  'settings',
  'missing',
  'stopped',
  'unknown',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface PollResult {
  readonly outcome: Outcome;
  /** Exit status of fetchmail(1); null when a signal ended it. */
  readonly code: number | null;
  /** Messages in the mailbox, those seen before among them, taken over, and left there. Null while not known. */
  readonly waiting: number | null;
  readonly seen: number | null;
  readonly fetched: number;
  readonly left: number;
  /** The words that say why, as server or fetchmail said them; '' when all went well. */
  readonly detail: string;
}

export interface QueryStatus {
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly result: PollResult;
  /** Since when every poll has failed; null when the last one went well. */
  readonly failingSince: string | null;
  readonly failures: number;
  /** When a poll last went well. */
  readonly lastGoodAt: string | null;
  /** When mail last came, and how many messages in all. */
  readonly lastMailAt: string | null;
  readonly fetchedInAll: number;
  /** Messages of which nobody can know whether they were taken before, the last ones last; Message-ID '' without one. */
  readonly maybeTwice: readonly { readonly at: string; readonly messageId: string }[];
  /** When the scheduler wants to look again; null when it has not said so. */
  readonly nextAt: string | null;
  /** The end of the last dialogue, secrets starred. */
  readonly dialogue: readonly string[];
}

/** So many of the messages that may be here twice are remembered. */
const MAX_MAYBE_TWICE = 20;

const GOOD: ReadonlySet<Outcome> = new Set(['fetched', 'nothing']);
/** Another one was at work: that says nothing about the query. */
const SAYS_NOTHING: ReadonlySet<Outcome> = new Set(['alreadyFetching', 'stopped']);

export function isGood(outcome: Outcome): boolean {
  return GOOD.has(outcome);
}

export function saysNothing(outcome: Outcome): boolean {
  return SAYS_NOTHING.has(outcome);
}

export interface PollReport {
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly result: PollResult;
  readonly dialogue: readonly string[];
  readonly maybeTwice?: readonly string[];
}

/** The status after one more poll. */
export function statusAfter(before: QueryStatus | null, report: PollReport): QueryStatus {
  const { result, dialogue, maybeTwice = [] } = report;
  const finishedAt = report.finishedAt.toISOString();
  const good = isGood(result.outcome);
  return {
    startedAt: report.startedAt.toISOString(),
    finishedAt,
    result,
    failingSince: good ? null : (before?.failingSince ?? finishedAt),
    failures: good ? 0 : (before?.failures ?? 0) + 1,
    lastGoodAt: good ? finishedAt : (before?.lastGoodAt ?? null),
    lastMailAt: result.fetched > 0 ? finishedAt : (before?.lastMailAt ?? null),
    fetchedInAll: (before?.fetchedInAll ?? 0) + result.fetched,
    maybeTwice: [
      ...(before?.maybeTwice ?? []),
      ...maybeTwice.map((messageId) => ({ at: finishedAt, messageId })),
    ].slice(-MAX_MAYBE_TWICE),
    nextAt: null,
    dialogue,
  };
}

/** Null for anything that is no status: the file may be of another version of us. */
export function parseStatus(text: string): QueryStatus | null {
  try {
    const read = JSON.parse(text) as QueryStatus;
    // One of an earlier release does not have it.
    const status: QueryStatus = { ...read, maybeTwice: read.maybeTwice ?? [] };
    const { result, dialogue, maybeTwice } = status;
    const whole =
      OUTCOMES.includes(result.outcome) &&
      typeof result.fetched === 'number' &&
      typeof result.left === 'number' &&
      typeof result.detail === 'string' &&
      isMoment(status.startedAt) &&
      isMoment(status.finishedAt) &&
      [status.failingSince, status.lastGoodAt, status.lastMailAt, status.nextAt].every(
        (at) => at === null || isMoment(at),
      ) &&
      typeof status.failures === 'number' &&
      typeof status.fetchedInAll === 'number' &&
      Array.isArray(maybeTwice) &&
      maybeTwice.every(({ at, messageId }) => isMoment(at) && typeof messageId === 'string') &&
      Array.isArray(dialogue) &&
      dialogue.every((line) => typeof line === 'string');
    return whole ? status : null;
  } catch {
    return null;
  }
}

function isMoment(value: unknown): boolean {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}
