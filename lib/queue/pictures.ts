/**
 * The picture of the queue that pages share: built by one listing at a time, kept for a short while, given up when nobody
 * looks any more.
 */
import type { Helper } from '../client/helper.js';
import type { Log } from '../contract.js';
import { HelperError } from '../errors.js';
import { LOOK_LIMIT_MS } from '../client/patience.js';
import { KEPT_MS, lately } from '../lately.js';
import { Picture, type PictureFrame, type PicturedMessage } from './picture.js';
import { PAGE_ROWS } from './query.js';
import type { QueueCounts } from './schema.js';

/** So old may a picture be at least, in milliseconds. */
export const FRESH_MS = 2_000;
/** So many times longer than it takes to build one a picture may be kept: a large queue is not listed all the time. */
const FRESH_PER_BUILD = 10;
/** A picture nobody looked at for so long is given up, in milliseconds. */
const IDLE_MS = 120_000;
/** So old may the first messages of a large queue be while newer ones are asked for, in milliseconds. */
export const HEAD_KEPT_MS = KEPT_MS;
/** Messages at the head of a large queue that the first look asks for. */
export const HEAD_ROWS = 200;
/** Messages up to which the queue is listed whole at the first look; with more it is a large queue. */
export const MEDIUM_QUEUE = 4_000;

export interface Shot extends PictureFrame {
  readonly picture: Picture;
  readonly at: Date;
  /** Milliseconds it took. */
  readonly took: number;
  /** Lines of the listing that could not be read. */
  readonly unreadable: number;
  /** Messages that are too many to be held here. */
  readonly leftOut: number;
}

/** The first messages in Postfix' own order, where the queue is large and nobody asked for more. */
export interface Head extends PictureFrame {
  readonly messages: readonly PicturedMessage[];
  readonly at: Date;
}

export interface Building {
  readonly listed: number;
  readonly startedAt: Date;
}

export type Look =
  | {
      readonly kind: 'shot';
      readonly shot: Shot;
      readonly failure: HelperError | null;
      /** A newer one is on its way. */
      readonly renewing: boolean;
    }
  | { readonly kind: 'head'; readonly head: Head; readonly renewing: boolean }
  | { readonly kind: 'building'; readonly building: Building };

export interface Pictures {
  /** Somebody may look soon: the head of a large queue is asked for, and nobody waits for it. */
  foresee(actor: string): void;
  /** What there is to see at once: a fresh picture, or the head of a large queue. Throws `HelperError`. */
  glance(actor: string): Promise<Look>;
  /** A fresh picture. When it takes long: the one before, or where there is none, how far it is. Throws `HelperError`. */
  look(actor: string): Promise<Look>;
  /** A fresh picture, however long it takes. Throws `HelperError`. */
  whole(actor: string): Promise<Shot>;
  /** A picture taken from now on, for an action that must not miss anything. Throws `HelperError`. */
  take(actor: string): Promise<Shot>;
  /** Messages that have left the queue. The next look asks anew, unless that takes long: what is left is right. */
  remove(ids: ReadonlySet<string>): void;
  /** The queue was changed: the next look asks anew. */
  spoil(): void;
  close(): void;
}

/** How long a page waits for a fresh picture while it has an older one, and while it has none, in milliseconds. */
const RENEW_WAIT_MS = 2_500;
const FIRST_WAIT_MS = 6_000;
/** A picture that takes longer to build than this is not thrown away for a small change, in milliseconds. */
const CHEAP_BUILD_MS = 1_500;

export function createPictures(
  helper: Helper,
  { log, now = () => new Date() }: { readonly log: Log; readonly now?: () => Date },
): Pictures {
  let shot: Shot | null = null;
  let spoiled = false;
  let building: {
    listed: number;
    readonly startedAt: Date;
    readonly done: Promise<Shot>;
    /** Messages that left the queue since it began. */
    readonly gone: ReadonlySet<string>[];
  } | null = null;
  let head: Head | null = null;
  let headAhead: Promise<Look> | null = null;
  let spoils = 0;
  /** What is under way does not show the change. */
  const forgetHead = (): void => {
    head = null;
    headAhead = null;
    spoils += 1;
  };
  let idle: NodeJS.Timeout | undefined;

  const touch = (): void => {
    clearTimeout(idle);
    idle = setTimeout(() => (shot = null), IDLE_MS);
    idle.unref();
  };
  const isFresh = (candidate: Shot): boolean => {
    const age = now().getTime() - candidate.at.getTime();
    return !spoiled && age < Math.max(FRESH_MS, candidate.took * FRESH_PER_BUILD);
  };
  const keep = (taken: Shot): Shot => {
    shot = taken;
    spoiled = false;
    touch();
    return taken;
  };

  const list = async (actor: string, limit: number | null, onCount: (rows: number) => void) => {
    const started = now();
    const picture = new Picture();
    const end = await helper.call(
      'queue-list',
      { limit, wholeUpTo: MEDIUM_QUEUE },
      {
        actor,
        ...(limit === null ? {} : { timeoutMs: LOOK_LIMIT_MS }),
        onProgress: ({ row, done }) => {
          picture.putPiece(Buffer.from(row as string, 'base64'));
          onCount(done);
        },
      },
    );
    const took = now().getTime() - started.getTime();
    return { cut: end.cut, shot: { ...end, picture: picture.seal(), at: started, took } };
  };

  const build = (actor: string): Promise<Shot> => {
    if (building !== null) return building.done;
    spoiled = false;
    const gone: ReadonlySet<string>[] = [];
    const count = (rows: number): void => {
      if (building !== null) building.listed = rows;
    };
    const done = list(actor, null, count)
      .then(({ shot: taken }) => {
        const again = spoiled;
        const kept = keep(gone.reduce(without, taken));
        spoiled = again;
        return kept;
      })
      .finally(() => (building = null));
    done.catch((error: unknown) => log.warn({ err: error }, 'the mail queue could not be listed'));
    building = { listed: 0, startedAt: now(), done, gone };
    return done;
  };

  /** One that was begun after the last change of the queue. */
  const renew = (actor: string): Promise<Shot> => {
    if (building === null || !spoiled) return build(actor);
    return building.done.then(
      () => build(actor),
      () => build(actor),
    );
  };

  const look = async (actor: string): Promise<Look> => {
    if (shot !== null && isFresh(shot)) {
      touch();
      return { kind: 'shot', shot, failure: null, renewing: false };
    }
    const before = shot;
    const done = renew(actor);
    try {
      const taken = await within(done, before === null ? FIRST_WAIT_MS : RENEW_WAIT_MS);
      if (taken !== null) return { kind: 'shot', shot: taken, failure: null, renewing: false };
      if (before !== null) return { kind: 'shot', shot: before, failure: null, renewing: true };
      const { listed = 0, startedAt = now() } = building ?? {};
      return { kind: 'building', building: { listed, startedAt } };
    } catch (error) {
      if (before === null || !(error instanceof HelperError)) throw error;
      return { kind: 'shot', shot: before, failure: error, renewing: false };
    }
  };

  const lookAtHead = async (actor: string): Promise<Look> => {
    const before = spoils;
    const { cut, shot: first } = await list(actor, HEAD_ROWS, () => undefined);
    if (!cut) {
      // What was changed meanwhile may not show in it.
      if (before !== spoils) return look(actor);
      return { kind: 'shot', shot: keep(first), failure: null, renewing: false };
    }
    if (totalOf(first.counts) <= MEDIUM_QUEUE) return look(actor);
    const rows = Math.min(PAGE_ROWS, first.picture.rows);
    const messages = Array.from({ length: rows }, (_, row) => first.picture.message(row));
    const taken = { ...first, messages };
    if (before === spoils) head = taken;
    return { kind: 'head', head: taken, renewing: false };
  };

  /** One that is under way is for all who ask meanwhile. */
  const askAhead = (actor: string): Promise<Look> => {
    if (headAhead !== null) return headAhead;
    const ahead = lookAtHead(actor).finally(() => {
      if (headAhead === ahead) headAhead = null;
    });
    ahead.catch((error: unknown) => log.warn({ err: error }, 'the mail queue could not be listed'));
    headAhead = ahead;
    return ahead;
  };

  const headAge = (): number =>
    head === null ? Number.POSITIVE_INFINITY : now().getTime() - head.at.getTime();

  /** The head as it is, when it is not too old; then a newer one is asked for, which nobody waits for. Throws `HelperError`. */
  const keptHead = async (actor: string): Promise<Look | null> => {
    if (head === null || headAge() >= HEAD_KEPT_MS) return null;
    if (headAge() < FRESH_MS) return { kind: 'head', head, renewing: false };
    return lately<Look>(askAhead(actor), { kind: 'head', head, renewing: true });
  };

  return {
    foresee(actor) {
      if ((shot !== null && isFresh(shot)) || headAge() < HEAD_KEPT_MS / 2) return;
      void askAhead(actor);
    },
    async glance(actor) {
      if (shot !== null && isFresh(shot)) return look(actor);
      try {
        return (await keptHead(actor)) ?? (await askAhead(actor));
      } catch (error) {
        if (shot === null || !(error instanceof HelperError)) throw error;
        return { kind: 'shot', shot, failure: error, renewing: false };
      }
    },
    look,
    whole: (actor) => (shot !== null && isFresh(shot) ? Promise.resolve(shot) : renew(actor)),
    async take(actor) {
      if (building !== null) await building.done.catch(() => undefined);
      return build(actor);
    },
    remove(ids) {
      forgetHead();
      if (shot !== null) shot = without(shot, ids);
      building?.gone.push(ids);
      if (shot === null || shot.took < CHEAP_BUILD_MS) spoiled = true;
    },
    spoil() {
      forgetHead();
      spoiled = true;
    },
    close: () => clearTimeout(idle),
  };
}

/** All waiting messages, those on hold included. */
export function totalOf({ maildrop, incoming, active, deferred, hold }: QueueCounts): number {
  return maildrop + incoming + active + deferred + hold;
}

/** The same picture after these messages have left the queue. */
function without(shot: Shot, ids: ReadonlySet<string>): Shot {
  const counts = { ...shot.counts };
  shot.picture.remove(ids, (queue) => (counts[queue] = Math.max(0, counts[queue] - 1)));
  return { ...shot, counts };
}

/** Null when it takes longer. */
async function within<T>(done: Promise<T>, ms: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}
