/**
 * Looks at the queue every few minutes, so that the overview can say when it grows, when a destination stalls, and when
 * room runs out, without asking anybody while a page waits.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { noHelper } from '../changes/failures.js';
import type { Helper } from '../client/helper.js';
import type { Log } from '../contract.js';
import { releaseLease, takeLease } from '../database/lease.js';
import { HelperError, type MessageValues } from '../errors.js';
import { LOOK_LIMIT_MS } from '../client/patience.js';
import { createRounds } from '../rounds.js';
import { CAUSE_IDS, sideOf, type Cause } from './causes.js';
import { Picture } from './picture.js';
import { NO_FILTER, type QueueFilter } from './query.js';
import { groupRows, matchingRows } from './selection.js';
import { MEDIUM_QUEUE, totalOf } from './pictures.js';
import { insertSample, readSamples, type QueueSample, type Stall } from './store.js';

/** Between two looks, in milliseconds. */
export const WATCH_EVERY_MS = 5 * 60 * 1000;
/** The first look comes when the start is over, in milliseconds. */
const FIRST_LOOK_MS = 20 * 1000;
const LEASE = 'queue-watch';
/** Messages that are looked at to find what stalls: the listing is cut off there. */
const MAX_LOOKED_AT = 3_000;
/** A destination stalls when so many messages wait for it, the oldest for so long. */
const STALL_MESSAGES = 5;
const STALL_SECONDS = 3_600;
const MAX_STALLS = 5;
/** Of these no mail gets on before somebody here does something: one message is enough, wherever it goes. */
const BLOCKING: ReadonlySet<Cause> = new Set<Cause>([
  ...(['smarthostLogin', 'localDelivery', 'scanner'] as const),
  ...(['ourConfiguration', 'ourDisk', 'localService'] as const),
]);
/** A fault that passes by itself is over by then, in seconds. */
const BLOCKED_SECONDS = 600;
/** Another cause of our side, or of the way, is told from so many messages to so many destinations on: it is no single server's. */
const SPREAD_MESSAGES = 3;
const SPREAD_DESTINATIONS = 2;
/** Once something stalls a page looks itself when the last look is older than this, in milliseconds. */
const STALLED_AGE_MS = 20_000;
/** What a page waits for that, in milliseconds. */
const LOOK_WAIT_MS = 2_000;
/** The queue grows when so many more wait than an hour ago, and so many times as many. */
const GROWN_BY = 50;
const GROWN_TIMES = 2;
const GROWN_SECONDS = 3_600;
/** Room below so many times of what Postfix needs is told before mail is refused. */
const DISK_TIMES = 10;
/** Counting costs a call of the helper: pages share one for so long, in milliseconds. */
const COUNT_LIFETIME_MS = 3_000;
const COUNT_TIMEOUT_MS = 5_000;
/** A look that old says nothing about now, in milliseconds. */
const STALE_MS = 4 * WATCH_EVERY_MS;

/** Something about the queue that the administrator should know. */
export interface QueueNotice {
  readonly kind: 'bad' | 'warn';
  /** The title is its text, `<key>.meaning` says more. */
  readonly key: string;
  readonly values: MessageValues;
  /** More values, of bytes: written in the units of the reader. */
  readonly bytes: Readonly<Record<string, number>>;
  /** Parameters of the list that shows the mail concerned. */
  readonly show: Partial<QueueFilter>;
  /** When the oldest mail concerned came; null where that says nothing. */
  readonly since: Date | null;
  readonly cause: Cause | null;
}

/** How full the queue is. */
export interface QueueNow {
  readonly waiting: number;
  readonly held: number;
  /** Bytes. */
  readonly diskFree: number;
  readonly at: Date;
}

export interface QueueWatch {
  /** Begins to look. */
  start(): void;
  /** Looks now. Throws `HelperError`. */
  look(): Promise<void>;
  notices(): Promise<readonly QueueNotice[]>;
  /** As it is now, or was when it was last looked at; null when it never was. */
  now(): Promise<QueueNow | null>;
  close(): Promise<void>;
}

export function createQueueWatch({
  db,
  helper,
  log,
  onLarge = () => undefined,
}: {
  readonly db: Knex;
  readonly helper: Helper | null;
  readonly log: Log;
  /** Somebody was told how many wait, and it is a large queue. */
  readonly onLarge?: () => void;
}): QueueWatch {
  const holder = randomUUID();
  let looking: Promise<void> | null = null;
  let counted: { readonly at: number; readonly now: Promise<QueueNow | null> } | null = null;

  const count = async (): Promise<QueueNow | null> => {
    try {
      if (helper === null) throw noHelper();
      const options = { actor: 'pages', timeoutMs: COUNT_TIMEOUT_MS };
      const { counts, disk } = await helper.call('queue-counts', {}, options);
      const { hold: held } = counts;
      if (totalOf(counts) > MEDIUM_QUEUE) onLarge();
      return { waiting: totalOf(counts) - held, held, diskFree: disk.free, at: new Date() };
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      return (await readSamples(db, GROWN_SECONDS)).now;
    }
  };

  const look = async (): Promise<void> => {
    if (helper === null) return;
    const actor = LEASE;
    const { counts, disk } = await helper.call('queue-counts', {}, { actor });
    const waiting = totalOf(counts) - counts.hold;
    const stalls = counts.deferred === 0 ? [] : await findStalls(helper);
    const { free: diskFree, needed: diskNeeded } = disk;
    await insertSample(db, { waiting, held: counts.hold, diskFree, diskNeeded, stalls });
  };

  /** Whether a look came to its end while a page waits: what was put right is not told as broken any longer. */
  const lookSoon = async (): Promise<boolean> => {
    looking ??= look().finally(() => {
      looking = null;
    });
    const seen = looking.then(
      () => true,
      () => false,
    );
    return Promise.race([seen, sleep(LOOK_WAIT_MS, false, { ref: false })]);
  };

  const rounds = createRounds(
    async () => {
      try {
        // Only one of the processes on a database looks.
        if (await takeLease(db, LEASE, holder)) await look();
      } catch (error) {
        if (!(error instanceof HelperError)) {
          log.warn({ err: error }, 'the mail queue could not be watched');
        }
      }
      return WATCH_EVERY_MS;
    },
    { firstAfterMs: FIRST_LOOK_MS },
  );

  return {
    start: () => rounds.start(),
    look,
    async notices() {
      const read = await readSamples(db, GROWN_SECONDS);
      const age = read.now === null ? 0 : Date.now() - read.now.at.getTime();
      const stalled = (read.now?.stalls.length ?? 0) > 0 && age > STALLED_AGE_MS;
      const { now, before } =
        stalled && (await lookSoon()) ? await readSamples(db, GROWN_SECONDS) : read;
      return now === null ? [] : noticesOf(now, before, new Date());
    },
    now() {
      if (counted === null || Date.now() - counted.at > COUNT_LIFETIME_MS) {
        counted = { at: Date.now(), now: count() };
      }
      return counted.now;
    },
    async close() {
      await rounds.close();
      await releaseLease(db, LEASE, holder).catch(() => undefined);
    },
  };
}

async function findStalls(helper: Helper): Promise<readonly Stall[]> {
  const picture = new Picture();
  await helper.call(
    'queue-list',
    { limit: MAX_LOOKED_AT, wholeUpTo: 0 },
    {
      actor: LEASE,
      timeoutMs: LOOK_LIMIT_MS,
      onProgress: ({ row }) => {
        picture.putPiece(Buffer.from(row as string, 'base64'));
      },
    },
  );
  return stallsOf(picture.seal(), Math.floor(Date.now() / 1000));
}

/** What keeps mail here: causes first, then destinations that stall for another one. `now` in seconds since 1970. */
export function stallsOf(picture: Picture, now: number): readonly Stall[] {
  const deferred = { ...NO_FILTER, queue: 'deferred' as const };
  const stallOf = (filter: QueueFilter, messages: number): Omit<Stall, 'destination'> => {
    const rows = matchingRows(picture, filter, now);
    const oldest = rows.reduce((first, row) => Math.min(first, picture.arrivalOf(row)), now);
    const [cause] = groupRows(picture, filter, now).causes;
    return { messages, oldest, cause: cause?.key ?? 'unknown' };
  };
  const { causes, destinations } = groupRows(picture, deferred, now);
  const blocked = causes.flatMap(({ key, messages }): Stall[] => {
    const filter = { ...deferred, reason: key };
    const stall = { destination: null, ...stallOf(filter, messages), cause: key };
    const spread = groupRows(picture, filter, now).destinations.length >= SPREAD_DESTINATIONS;
    return isBlocked(stall, spread, now) ? [stall] : [];
  });
  const told = new Set(blocked.map(({ cause }) => cause));
  const stalled = destinations
    .filter(({ messages }) => messages >= STALL_MESSAGES)
    .map(({ key, messages }): Stall => {
      return { destination: key, ...stallOf({ ...deferred, recipient: `@${key}` }, messages) };
    })
    .filter(({ oldest, cause }) => now - oldest >= STALL_SECONDS && !told.has(cause));
  return [...blocked, ...stalled].slice(0, MAX_STALLS);
}

function isBlocked({ messages, oldest, cause }: Stall, spread: boolean, now: number): boolean {
  if (BLOCKING.has(cause as Cause)) return now - oldest >= BLOCKED_SECONDS;
  // That a domain does not exist is the matter of each single address.
  if (cause === 'domainUnknown' || !['us', 'way'].includes(sideOf(cause as Cause))) return false;
  return spread && messages >= SPREAD_MESSAGES && now - oldest >= STALL_SECONDS;
}

/** What is worth a notice. */
export function noticesOf(
  now: QueueSample,
  before: QueueSample | null,
  at: Date,
): readonly QueueNotice[] {
  if (at.getTime() - now.at.getTime() > STALE_MS) return [];
  const notices: QueueNotice[] = [];
  const plain = { bytes: {}, show: {}, since: null, cause: null };
  const bytes = { free: now.diskFree, needed: now.diskNeeded };
  if (bytes.free < bytes.needed) {
    notices.push({ kind: 'bad', key: 'queue.notice.full', values: {}, ...plain, bytes });
  } else if (bytes.free < bytes.needed * DISK_TIMES) {
    notices.push({ kind: 'warn', key: 'queue.notice.room', values: {}, ...plain, bytes });
  }
  const earlier = before?.waiting ?? Number.POSITIVE_INFINITY;
  if (now.waiting >= earlier + GROWN_BY && now.waiting >= earlier * GROWN_TIMES) {
    const values = { count: now.waiting, before: earlier };
    notices.push({ kind: 'warn', key: 'queue.notice.grows', values, ...plain });
  }
  for (const { destination, messages: count, oldest, cause: noted } of now.stalls) {
    const cause = CAUSE_IDS.find((id) => id === noted) ?? 'unknown';
    const about: Pick<QueueNotice, 'kind' | 'key' | 'values' | 'show'> =
      destination === null
        ? {
            ...{ kind: BLOCKING.has(cause) ? 'bad' : 'warn', key: 'queue.notice.blocked' },
            ...{ values: { count }, show: { reason: cause } },
          }
        : {
            ...{ kind: 'warn', key: 'queue.notice.stalls', show: { recipient: `@${destination}` } },
            values: { count, destination: destination === '' ? '–' : destination },
          };
    notices.push({ ...about, bytes: {}, since: new Date(oldest * 1000), cause });
  }
  return notices;
}
