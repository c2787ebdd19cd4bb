/** The mail queue as pages see it: lists, groups, one message, actions. */
import type { Knex } from 'knex';
import { noHelper } from '../changes/failures.js';
import type { Helper } from '../client/helper.js';
import type { HelperProgress, Log } from '../contract.js';
import { NotFoundError, type HelperError } from '../errors.js';
import { createQueueJobs, type QueueJobs } from './jobs.js';
import {
  createPictures,
  MEDIUM_QUEUE,
  totalOf,
  type Building,
  type Head,
  type Shot,
} from './pictures.js';
import type { PicturedMessage, PictureFrame } from './picture.js';
import {
  filterOf,
  isUnfiltered,
  PAGE_ROWS,
  type QueueFilter,
  type QueueQuery,
  type QueueSort,
} from './query.js';
import type { LookedAt } from './schema.js';
import { groupsLately, selectLately } from './lately.js';
import { matchingRows, type Groups, type Selection } from './selection.js';

/** One page of the list. */
export interface QueueList extends PictureFrame {
  readonly kind: 'list';
  readonly at: Date;
  readonly selection: Selection;
  /** '' in Postfix' own order: what is quick to begin with in a large queue. */
  readonly sort: QueueSort | '';
  /** Null where nobody asked for more than the first messages of a large queue. */
  readonly groups: Groups | null;
  /** Messages that the picture does not hold, because there are too many. */
  readonly leftOut: number;
  /** Why this is not newer. */
  readonly failure: HelperError | null;
  /** A newer one is on its way. */
  readonly renewing: boolean;
}

/** How many messages match, and when that was so: `until` is in seconds since 1970. */
export interface QueueCount {
  readonly matching: number;
  readonly until: number;
}

/** The listing takes a while; the page asks again. */
export interface QueueReading {
  readonly kind: 'reading';
  readonly building: Building;
}

export interface QueueService {
  readonly jobs: QueueJobs;
  /** The queue is large, and somebody may look at it next: its first page is asked for ahead. */
  foresee(): void;
  /** Throws `HelperError` when nothing at all is known. */
  list(query: QueueQuery, actor: string): Promise<QueueList | QueueReading>;
  /** How many match now; null while the listing takes too long. Throws `HelperError`. */
  count(filter: QueueFilter, actor: string): Promise<QueueCount | null>;
  /** Throws `HelperError`. */
  show(id: string, actor: string): Promise<LookedAt>;
  /**
   * Calls back with the content in pieces, no faster than it is taken. Throws `NotFoundError` for a message that has left
   * the queue, before the first piece; `HelperError`.
   */
  download(
    id: string,
    actor: string,
    options: { readonly signal: AbortSignal; readonly take: (piece: Buffer) => Promise<void> },
  ): Promise<void>;
  close(): Promise<void>;
}

export interface QueueParts {
  readonly db: Knex;
  readonly helper: Helper | null;
  readonly log: Log;
  readonly now?: () => Date;
}

export function createQueueService(parts: QueueParts): QueueService {
  const { db, log, now = () => new Date() } = parts;
  const helper = parts.helper ?? ABSENT;
  const pictures = createPictures(helper, { log, now });
  const jobs = createQueueJobs({ db, helper, pictures, log });
  const seconds = (): number => Math.floor(now().getTime() / 1000);

  return {
    jobs,
    foresee: () => pictures.foresee('pages'),
    async list(query, actor) {
      const plain = query.sort === '' && query.page === 1 && isUnfiltered(query);
      const look = await (plain ? pictures.glance(actor) : pictures.look(actor));
      if (look.kind === 'building') return { kind: 'reading', building: look.building };
      if (look.kind === 'head') return headList(look);
      return shotList(look, query, seconds());
    },
    async count(filter, actor) {
      const look = await pictures.look(actor);
      if (look.kind !== 'shot') return null;
      if (look.failure !== null) throw look.failure;
      const { picture, at } = look.shot;
      const until = Math.floor(at.getTime() / 1000);
      return { matching: matchingRows(picture, filter, seconds()).length, until };
    },
    show: (id, actor) => helper.call('queue-show', { id }, { actor }),
    async download(id, actor, { signal, take }) {
      const { found } = await helper.call(
        'queue-raw',
        { id },
        {
          actor,
          signal,
          onProgress: ({ row }: HelperProgress) => take(Buffer.from(row as string, 'base64')),
        },
      );
      if (!found) throw new NotFoundError(`message ${id}`);
    },
    close: async () => {
      pictures.close();
      await jobs.close();
    },
  };
}

function headList({
  head,
  renewing,
}: Pick<QueueList, 'renewing'> & { readonly head: Head }): QueueList {
  const { messages, ...frame } = head;
  const selection = {
    matching: totalOf(head.counts),
    pages: Math.ceil(totalOf(head.counts) / PAGE_ROWS),
    page: 1,
    messages,
  };
  return {
    ...{ kind: 'list', ...frame, selection, sort: '', groups: null, leftOut: 0 },
    ...{ failure: null, renewing },
  };
}

function shotList(
  { shot, failure, renewing }: Pick<QueueList, 'failure' | 'renewing'> & { readonly shot: Shot },
  query: QueueQuery,
  now: number,
): QueueList {
  const { picture, counts, schedule, disk, at, leftOut } = shot;
  const large = totalOf(counts) > MEDIUM_QUEUE && isUnfiltered(query);
  const sort = query.sort === '' && !large ? 'oldest' : query.sort;
  return {
    kind: 'list',
    counts,
    schedule,
    disk,
    at,
    failure,
    renewing,
    selection: selectLately(picture, { ...query, sort }, now),
    sort,
    groups: groupsLately(picture, filterOf(query), now),
    leftOut,
  };
}

/** From when Postfix gives a message up, at its next try then; null while it is on hold. Seconds since 1970. */
export function givenUpAt(
  message: Pick<PicturedMessage, 'queue' | 'created' | 'sender'>,
  { maximalQueueLifetime, bounceQueueLifetime }: PictureFrame['schedule'],
): number | null {
  if (message.queue === 'hold') return null;
  return message.created + (message.sender === '' ? bounceQueueLifetime : maximalQueueLifetime);
}

/** Stands in where the machine has no helper. */
const ABSENT: Helper = { call: () => Promise.reject(noHelper()) };
