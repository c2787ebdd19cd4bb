/** What somebody wants to see of the queue: the filter, the order and the page, as they stand in the address. */
import { isCause, type Cause } from './causes.js';
import { QUEUES, type QueueName } from './schema.js';

export const SORTS = ['oldest', 'newest', 'nextTry', 'largest', 'sender', 'destination'] as const;
export type QueueSort = (typeof SORTS)[number];

/** Ages that can be asked for, in seconds. */
export const AGES = [600, 3_600, 21_600, 86_400, 259_200] as const;

/** Messages on one page. */
export const PAGE_ROWS = 30;

/** What is taken of a search text, in characters. */
export const MAX_SEARCH_LENGTH = 320;

/** How the null sender is written in a filter. */
export const NULL_SENDER = '<>';

export interface QueueFilter {
  /** Part of a sender, a recipient or an id; '' for all. */
  readonly q: string;
  /** The whole sender, `<>` for the null sender, or `@domain`; '' for all. */
  readonly sender: string;
  /** A whole recipient, or `@domain`; '' for all. */
  readonly recipient: string;
  readonly queue: QueueName | '';
  readonly reason: Cause | '';
  /** Waits longer than so many seconds; 0 for any time. */
  readonly olderThan: number;
}

export interface QueueQuery extends QueueFilter {
  /** '' leaves the order to the page: the oldest first, or Postfix' own where the queue is large. */
  readonly sort: QueueSort | '';
  /** From 1. */
  readonly page: number;
}

export const NO_FILTER: QueueFilter = {
  q: '',
  sender: '',
  recipient: '',
  queue: '',
  reason: '',
  olderThan: 0,
};

/** Reads the parameters of an address or a form; what cannot be understood counts as not given. */
export function parseQuery(params: Readonly<Record<string, unknown>>): QueueQuery {
  const text = (name: string): string => {
    const value = params[name];
    return typeof value === 'string' ? value.trim().slice(0, MAX_SEARCH_LENGTH) : '';
  };
  const age = Number(text('olderThan'));
  const page = Number(text('page'));
  const reason = text('reason');
  return {
    q: text('q'),
    sender: text('sender'),
    recipient: text('recipient'),
    queue: QUEUES.find((name) => name === text('queue')) ?? '',
    reason: isCause(reason) ? reason : '',
    olderThan: Number.isSafeInteger(age) && age > 0 ? age : 0,
    sort: SORTS.find((name) => name === text('sort')) ?? '',
    page: Number.isSafeInteger(page) && page > 1 ? page : 1,
  };
}

/** Whether every part of a filter was understood: an action on all that match must not act on more than was meant. */
export function isUnderstood(params: Readonly<Record<string, unknown>>): boolean {
  const filter = filterOf(parseQuery(params));
  return (Object.keys(NO_FILTER) as (keyof QueueFilter)[]).every((name) => {
    const given = params[name] ?? '';
    return typeof given === 'string' && ['', String(filter[name])].includes(given.trim());
  });
}

/** The parts of a query that are not the default, as parameters of an address. */
export function queryParams(query: Partial<QueueQuery>): URLSearchParams {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    const omitted = value === '' || value === 0 || (name === 'page' && value === 1);
    if (!omitted) params.set(name, String(value));
  }
  return params;
}

/** Whether the filter lets everything through. */
export function isUnfiltered(filter: QueueFilter): boolean {
  return (Object.keys(NO_FILTER) as (keyof QueueFilter)[]).every(
    (name) => filter[name] === NO_FILTER[name],
  );
}

export function filterOf(query: QueueQuery): QueueFilter {
  const { q, sender, recipient, queue, reason, olderThan } = query;
  return { q, sender, recipient, queue, reason, olderThan };
}
