/** Finds, sorts and groups messages of a picture. */
import { CAUSE_IDS, causePosition, type Cause } from './causes.js';
import { holdsPart } from '../domains/schema.js';
import { domainOf, type Picture, type PicturedMessage } from './picture.js';
import {
  AGES,
  NULL_SENDER,
  PAGE_ROWS,
  type QueueFilter,
  type QueueQuery,
  type QueueSort,
} from './query.js';
import { QUEUES } from './schema.js';

/** Groups that are listed; the others are counted together. */
export const MAX_GROUPS = 8;

export interface Group<Key = string> {
  readonly key: Key;
  readonly messages: number;
}

/** How many messages wait for a destination, by age. */
export interface ShapeRow {
  /** Null: all other destinations together. */
  readonly destination: string | null;
  /** One number for each of `AGES`, and one before them for the youngest. */
  readonly byAge: readonly number[];
  readonly messages: number;
}

export interface Selection {
  /** Messages that match. */
  readonly matching: number;
  readonly pages: number;
  /** From 1, never beyond the last. */
  readonly page: number;
  readonly messages: readonly PicturedMessage[];
}

export interface Groups {
  /** All that match but for the asked cause. */
  readonly all: number;
  readonly causes: readonly Group<Cause>[];
  readonly destinations: readonly Group[];
  readonly senders: readonly Group[];
  readonly shape: readonly ShapeRow[];
}

/** One page of what matches; without `sort` in the order of the picture. `now` in seconds since 1970. */
export function select(picture: Picture, query: QueueQuery, now: number): Selection {
  return pageOf(picture, orderRows(picture, query, now), query);
}

/** All rows that match, in the asked order. */
export function orderRows(
  picture: Picture,
  query: Omit<QueueQuery, 'page'>,
  now: number,
): Uint32Array {
  return sortRows(picture, matchingRows(picture, query, now), query.sort);
}

/** One page of rows in their order. */
export function pageOf(
  picture: Picture,
  rows: Uint32Array,
  query: Pick<QueueQuery, 'page'>,
): Selection {
  const pages = Math.max(1, Math.ceil(rows.length / PAGE_ROWS));
  const page = Math.min(query.page, pages);
  const shown = rows.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS);
  return {
    matching: rows.length,
    pages,
    page,
    messages: Array.from(shown, (row) => picture.message(row)),
  };
}

/** Ids of all that match and came not later than `until`, the oldest first. All times in seconds since 1970. */
export function selectIds(
  picture: Picture,
  filter: QueueFilter,
  now: number,
  until: number,
): readonly string[] {
  const matching = matchingRows(picture, filter, now);
  const rows = sortRows(
    picture,
    matching.filter((row) => picture.arrivalOf(row) <= until),
    'oldest',
  );
  return Array.from(rows, (row) => picture.idOf(row));
}

/** Rows that match, in the order of the picture. */
export function matchingRows(
  picture: Picture,
  filter: QueueFilter,
  now: number,
): readonly number[] {
  const tests = testsOf(picture, filter, now);
  const rows: number[] = [];
  for (let row = 0; row < picture.rows; row += 1) {
    if (!picture.isRemoved(row) && tests.every((test) => test(row))) rows.push(row);
  }
  return rows;
}

function isCauseAt(position: number): (cause: number) => boolean {
  return (cause) => cause === position;
}

type RowTest = (row: number) => boolean;

function testsOf(picture: Picture, filter: QueueFilter, now: number): readonly RowTest[] {
  const tests: RowTest[] = [];
  if (filter.queue !== '') {
    const queue = QUEUES.indexOf(filter.queue);
    tests.push((row) => picture.queueOf(row) === queue);
  }
  if (filter.reason !== '') {
    const isAsked = isCauseAt(causePosition(filter.reason));
    tests.push((row) => picture.someCause(row, isAsked));
  }
  if (filter.olderThan > 0) {
    tests.push((row) => picture.arrivalOf(row) < now - filter.olderThan);
  }
  if (filter.sender !== '') {
    const fits = addressTest(filter.sender);
    const known = remembered(picture.senders, (number) => fits(picture.senderText(number)));
    tests.push((row) => known(picture.senderOf(row)));
  }
  if (filter.recipient !== '') {
    const fits = addressTest(filter.recipient);
    const known = remembered(picture.addresses, (number) => fits(picture.addressText(number)));
    tests.push((row) => picture.someRecipient(row, known));
  }
  if (filter.q !== '') {
    const part = filter.q.toLowerCase();
    const inIds = ID_PART.test(part);
    const inSender = remembered(picture.senders, (number) =>
      holdsPart(picture.senderText(number) || NULL_SENDER, part),
    );
    const inAddress = remembered(picture.addresses, (number) =>
      holdsPart(picture.addressText(number), part),
    );
    tests.push(
      (row) =>
        inSender(picture.senderOf(row)) ||
        picture.someRecipient(row, inAddress) ||
        (inIds && picture.idOf(row).toLowerCase().includes(part)),
    );
  }
  return tests;
}

/** `@domain` fits every address there; anything else the address itself, letters of any case. */
function addressTest(wanted: string): (address: string) => boolean {
  const text = wanted === NULL_SENDER ? '' : wanted.toLowerCase();
  if (text.startsWith('@')) return (address) => domainOf(address) === text.slice(1);
  return (address) => address.toLowerCase() === text;
}

/** The same text stands in many messages: it is looked at once. */
function remembered(count: number, test: (number: number) => boolean): (number: number) => boolean {
  const answers = new Uint8Array(count);
  return (number) => {
    if (answers[number] === 0) answers[number] = test(number) ? YES : NO;
    return answers[number] === YES;
  };
}

const YES = 1;
const NO = 2;

/** What may be a part of a queue id; anything else need not be looked for in ids. */
const ID_PART = /^[0-9a-z]{3,}$/;

/** Sorts by numbers that hold key and row at once, which needs no comparing function. */
function sortRows(picture: Picture, rows: readonly number[], sort: QueueSort | ''): Uint32Array {
  if (sort === '') return Uint32Array.from(rows);
  const key = keyOf(picture, sort);
  const span = picture.rows;
  const sorted = Float64Array.from(rows, (row) => key(row) * span + row).sort();
  return Uint32Array.from(sorted, (both) => both % span);
}

const LATEST = 0xffff_ffff;

function keyOf(picture: Picture, sort: QueueSort): (row: number) => number {
  switch (sort) {
    case 'oldest':
      return (row) => picture.arrivalOf(row);
    case 'newest':
      return (row) => LATEST - picture.arrivalOf(row);
    case 'largest':
      return (row) => LATEST - picture.sizeOf(row);
    case 'nextTry':
      return (row) => picture.nextTryOf(row) || LATEST;
    case 'sender': {
      const rank = ranks(picture.senders, (number) => picture.senderText(number));
      return (row) => rank[picture.senderOf(row)] ?? 0;
    }
    case 'destination': {
      const rank = ranks(picture.destinations, (number) => picture.destinationText(number));
      return (row) => rank[picture.destinationOf(row)] ?? 0;
    }
  }
}

/** The place of each text in alphabetical order. */
function ranks(count: number, text: (number: number) => string): Uint32Array {
  const texts = Array.from({ length: count }, (_, number) => ({
    number,
    text: text(number).toLowerCase(),
  }));
  texts.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
  const rank = new Uint32Array(count);
  texts.forEach(({ number }, at) => (rank[number] = at));
  return rank;
}

/** Counts what matches by cause, destination, sender and age. Of the causes the asked one is not left out. */
export function groupRows(picture: Picture, filter: QueueFilter, now: number): Groups {
  const rows = matchingRows(picture, { ...filter, reason: '' }, now);
  const isAsked = filter.reason === '' ? () => true : isCauseAt(causePosition(filter.reason));
  const causes = new Uint32Array(CAUSE_IDS.length);
  const senders = new Uint32Array(picture.senders);
  const byAge = new Map<number, Uint32Array>();
  for (const row of rows) {
    const own: number[] = [];
    picture.someCause(row, (cause) => {
      if (own.includes(cause)) return false;
      own.push(cause);
      causes[cause] = (causes[cause] ?? 0) + 1;
      return false;
    });
    if (!own.some(isAsked)) continue;
    const sender = picture.senderOf(row);
    senders[sender] = (senders[sender] ?? 0) + 1;
    const age = ageClass(now - picture.arrivalOf(row));
    const seen: number[] = [];
    picture.someRecipient(row, (_address, destination) => {
      if (seen.includes(destination)) return false;
      seen.push(destination);
      let counts = byAge.get(destination);
      if (!counts) byAge.set(destination, (counts = new Uint32Array(AGES.length + 1)));
      counts[age] = (counts[age] ?? 0) + 1;
      return false;
    });
  }
  const shape = shapeOf(picture, byAge);
  return {
    all: rows.length,
    causes: CAUSE_IDS.map((key, at) => ({ key, messages: causes[at] ?? 0 }))
      .filter(({ messages }) => messages > 0)
      .sort((a, b) => b.messages - a.messages),
    destinations: shape.flatMap(({ destination, messages }) =>
      destination === null ? [] : [{ key: destination, messages }],
    ),
    senders: largest(senders, (number) => picture.senderText(number) || NULL_SENDER),
    shape,
  };
}

/** Position among the ages: 0 is younger than the first of `AGES`. */
function ageClass(seconds: number): number {
  const at = AGES.findIndex((age) => seconds < age);
  return at < 0 ? AGES.length : at;
}

function largest(counts: Uint32Array, text: (number: number) => string): readonly Group[] {
  return Array.from(counts, (messages, number) => ({ messages, number }))
    .filter(({ messages }) => messages > 0)
    .sort((a, b) => b.messages - a.messages)
    .slice(0, MAX_GROUPS)
    .map(({ messages, number }) => ({ key: text(number), messages }));
}

function shapeOf(picture: Picture, byAge: ReadonlyMap<number, Uint32Array>): readonly ShapeRow[] {
  const sum = (counts: Uint32Array): number => counts.reduce((total, count) => total + count, 0);
  const all = [...byAge]
    .map(([number, counts]) => ({ number, counts, messages: sum(counts) }))
    .sort((a, b) => b.messages - a.messages);
  const shown: ShapeRow[] = all.slice(0, MAX_GROUPS).map(({ number, counts, messages }) => ({
    destination: picture.destinationText(number),
    byAge: Array.from(counts),
    messages,
  }));
  const others = all.slice(MAX_GROUPS);
  if (others.length === 0) return shown;
  const counts = new Uint32Array(AGES.length + 1);
  for (const other of others)
    other.counts.forEach((count, at) => (counts[at] = (counts[at] ?? 0) + count));
  return [...shown, { destination: null, byAge: Array.from(counts), messages: sum(counts) }];
}
