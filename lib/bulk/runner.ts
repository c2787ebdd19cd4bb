/**
 * Sends mailings: one process at a time, one mailing after the other, each recipient exactly once. A recipient is marked
 * before the mail server hears of it, and what became of one that was marked by a process that died is found out from log
 * and queue, never guessed.
 */
import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import type { Helper } from '../client/helper.js';
import type { Log } from '../contract.js';
import { HelperError } from '../errors.js';
import { createRounds } from '../rounds.js';
import { attachmentsOf, dropOldFiles, readBytes } from './attachment-store.js';
import { isDoubtful, sendBatches } from './batches.js';
import { createCourier, type Halt } from './courier.js';
import { endOfLog, readOn } from './follower.js';
import { createHeldLease } from './held-lease.js';
import { createMessageWriter, type MessageWriter } from './mime.js';
import {
  checkAllSending,
  claimRecipients,
  countRecipients,
  dropWaitingOfCancelled,
  secondsSinceLastSent,
  secondsToNextTry,
  type Recipient,
} from './recipient-store.js';
import type { BulkDoor } from './schema.js';
import { settleChecks } from './settle.js';
import {
  beginCheck,
  firstRunning,
  firstToFollow,
  lookAgainIn,
  moveMailing,
  noteLogCursor,
  noteTrouble,
  readMailing,
  type Mailing,
  type Trouble,
} from './store.js';

export interface BulkTiming {
  /** Between two looks for something to do, in milliseconds. */
  readonly idleMs: number;
  /** Between two looks at the log, and at the queue. */
  readonly followMs: number;
  /** How long after a failure the log has everything that was written before it. */
  readonly settleMs: number;
  /** The pause after the server could not take mail; it doubles up to the longest one. */
  readonly pauseMs: number;
  readonly longestPauseMs: number;
  /** Before a recipient that was put off is tried again the first time, in seconds. */
  readonly retrySeconds: number;
}

export const TIMING: BulkTiming = {
  idleMs: 1_500,
  followMs: 5_000,
  settleMs: 5_000,
  pauseMs: 1_000,
  longestPauseMs: 60_000,
  retrySeconds: 60,
};

const LEASE = 'bulk-runner';
/** Messages that are marked as being sent together, at most; as many again while they are: these are looked up after a crash. */
const BATCH = 100;
/** A look at log and queue is followed by so many times its own time without one. */
const LOOK_SHARE = 9;
/** Connections to the mail server. */
const CONNECTIONS = 5;
/** While more messages than this wait in the queue for a delivery, and a tenth of what was sent, no more are added. */
const BACKLOG = 1_000;
const BACKLOG_SHARE = 0.1;
/** So many put off one after the other, whoever they are for, is the server's trouble. */
const MAX_PUT_OFF = 5;
/** So many refused and none taken is about the mailing, not about its recipients. */
const MAX_REFUSED = 20;
/** How long after the last one was sent it is looked what became of messages, and how often, in seconds. */
const LOOKS = [
  { age: 120, every: 5 },
  { age: 3_600, every: 30 },
  { age: 6 * 86_400, every: 600 },
] as const;

/** The mailing this process works on. Times are those of `performance.now()`. */
interface Work {
  readonly id: string;
  readonly writer: MessageWriter;
  door: BulkDoor;
  /** Not before then anything is sent. */
  heldUntil: number;
  nextLook: number;
  nextSettle: number;
  /** A look at log and queue that is under way beside the sending. */
  looking: Promise<void> | null;
  halts: number;
  putOff: number;
  /** Deferred mail that was there before, which is not ours. */
  deferredBefore: number | null;
}

export interface BulkRunner {
  start(): void;
  /** There is something to do. */
  wake(): void;
  /** Why nothing goes on, where that could not be noted; null when all is well. */
  stuck(): Trouble | null;
  /** Ends after the messages that are on their way. */
  close(): Promise<void>;
}

export function createBulkRunner(parts: {
  readonly db: Knex;
  readonly helper: Helper | null;
  readonly log: Log;
  readonly timing?: BulkTiming;
}): BulkRunner {
  const { db, helper, log, timing = TIMING } = parts;
  const lease = createHeldLease(db, LEASE, randomUUID());
  const courier = createCourier({
    connections: CONNECTIONS,
    retrySeconds: timing.retrySeconds,
  });
  let work: Work | null = null;

  const trouble = async (mailing: Mailing, kind: string, reply: string): Promise<void> => {
    if (mailing.trouble?.kind === kind && mailing.trouble.reply === reply) return;
    const since = mailing.trouble?.kind === kind ? mailing.trouble.since : new Date().toISOString();
    const noted: Trouble = { kind, reply, since };
    await noteTrouble(db, mailing.id, noted);
  };

  /** Before anything is sent: whoever sent before is gone, so log and queue are asked first. */
  const adopt = async (asked: Helper, mailing: Mailing): Promise<Work> => {
    const { id } = mailing;
    await db.transaction(async (trx) => {
      if ((await checkAllSending(trx, id)) > 0) await beginCheck(trx, id);
    });
    if (mailing.logCursor === null) {
      await noteLogCursor(db, id, (await endOfLog({ db, helper: asked }, mailing)) ?? '');
    } else {
      await readOn({ db, helper: asked }, mailing);
    }
    const door = await asked.call('bulk-door', {}, { actor: 'bulk' });
    const now = performance.now();
    return {
      ...{ id, door, writer: await writerOf(db, mailing) },
      ...{ heldUntil: now, nextLook: now, nextSettle: now, looking: null },
      ...{ halts: 0, putOff: 0, deferredBefore: null },
    };
  };

  const sendSome = async (mailing: Mailing): Promise<void> => {
    if (helper === null) {
      await trouble(mailing, 'helper', '');
      return rounds.rest(timing.idleMs);
    }
    if (work?.id !== mailing.id) work = await adopt(helper, mailing);
    await lookAround(helper, mailing, work);
    if (performance.now() < work.heldUntil) {
      return rounds.rest(Math.min(timing.idleMs, work.heldUntil - performance.now()));
    }
    const size = mailing.rate === 0 ? BATCH : Math.min(BATCH, Math.ceil(mailing.rate / 60));
    const claimed = await claimRecipients(db, mailing.id, size);
    if (claimed.length === 0) return endOrRest(mailing);
    await sendBatch(mailing, work, claimed);
  };

  /** What is due beside sending: the log, the queue, doubtful messages. */
  const lookAround = async (asked: Helper, mailing: Mailing, now: Work): Promise<void> => {
    const at = performance.now();
    if (mailing.checkSince !== null && at >= now.nextSettle) {
      await settleChecks({ db, helper: asked }, mailing, waitFor(now.door));
      now.nextSettle = performance.now() + Math.min(1_000, timing.settleMs);
    }
    if (now.looking !== null || at < now.nextLook) return;
    const look = async (): Promise<void> => {
      await lookAtQueue(asked, mailing, now);
      await readOn({ db, helper: asked }, mailing);
    };
    now.looking = look()
      .catch(async (error: unknown) => {
        if (!(error instanceof HelperError)) throw error;
        await trouble(mailing, 'helper', '');
        now.heldUntil = performance.now() + timing.followMs;
      })
      .catch((error: unknown) => log.error({ err: error }, 'a mailing could not be looked after'))
      .finally(() => {
        now.looking = null;
        const ended = performance.now();
        now.nextLook = ended + Math.max(timing.followMs, (ended - at) * LOOK_SHARE);
      });
  };

  const waitFor = (door: BulkDoor | null): number =>
    door?.filtered === true ? timing.settleMs * 12 : timing.settleMs;

  /** Backs off while the queue is longer than it should be. */
  const lookAtQueue = async (asked: Helper, mailing: Mailing, now: Work): Promise<void> => {
    const { counts } = await asked.call('queue-counts', {}, { actor: 'bulk' });
    now.deferredBefore ??= counts.deferred;
    const ours = Math.max(0, counts.deferred - now.deferredBefore);
    const backlog = counts.maildrop + counts.incoming + counts.active + ours;
    const known = (await countRecipients(db, [mailing.id])).get(mailing.id);
    const done = known ? known.accepted + known.deferred + known.delivered : 0;
    if (backlog > BACKLOG + done * BACKLOG_SHARE) {
      await trouble(mailing, 'backlog', String(backlog));
      now.heldUntil = performance.now() + timing.followMs;
    } else if (mailing.trouble?.kind === 'backlog') {
      await noteTrouble(db, mailing.id, null);
    }
  };

  /** Whether nothing else is to be done, or waited for, after the batch that is on its way. */
  const goesOn = ({ rate, trouble: told }: Mailing, now: Work): boolean => {
    const at = performance.now();
    const lookDue = now.looking === null && at >= now.nextLook;
    return rate === 0 && told === null && !rounds.closing && !lookDue && at >= now.heldUntil;
  };

  const sendBatch = async (
    mailing: Mailing,
    now: Work,
    recipients: readonly Recipient[],
  ): Promise<void> => {
    const began = performance.now();
    const { last, accepted } = await sendBatches(
      {
        db,
        deliver: (some, may) =>
          courier.deliver({
            ...{ host: now.door.host, port: now.door.port, sender: mailing.sender },
            recipients: some,
            write: (recipient) => now.writer.write(recipient, recipient.no, new Date()),
            may: () => may() && !rounds.closing && lease.sure(),
          }),
        next: () => (goesOn(mailing, now) ? BATCH : 0),
      },
      mailing.id,
      recipients,
    );
    const { outcomes, halt } = last;
    if (isDoubtful(outcomes)) now.nextSettle = performance.now() + timing.settleMs;
    const settled = outcomes.some(({ state }) => state === 'accepted' || state === 'refused');
    const delayed = outcomes.filter(({ delay }) => delay > 0);
    now.putOff = settled ? 0 : (accepted > 0 ? 0 : now.putOff) + delayed.length;
    const many = now.putOff >= MAX_PUT_OFF;
    const found = halt ?? (many ? { kind: 'busy' as const, reply: delayed[0]?.reply ?? '' } : null);
    if (found !== null) return stop(mailing, now, found);
    if (accepted > 0) {
      now.halts = 0;
      if (mailing.trouble !== null) await noteTrouble(db, mailing.id, null);
    } else if (outcomes.some(({ state }) => state === 'refused')) {
      await pauseIfAllRefused(mailing, outcomes.at(-1)?.reply ?? '');
    }
    if (mailing.rate > 0) {
      const due = Math.max(now.heldUntil, began) + (outcomes.length * 60_000) / mailing.rate;
      now.heldUntil = due;
    }
  };

  /** Waits for the server, longer each time; what it will never take waits for a person. */
  const stop = async (mailing: Mailing, now: Work, { kind, reply }: Halt): Promise<void> => {
    await trouble(mailing, kind, reply);
    if (kind === 'sender') {
      await moveMailing(db, mailing.id, ['running'], 'paused');
      return;
    }
    const pause = Math.min(timing.longestPauseMs, timing.pauseMs * 2 ** Math.min(now.halts, 16));
    now.halts += 1;
    now.heldUntil = performance.now() + pause;
    // It may take mail elsewhere when it comes back.
    if (kind === 'unreachable' && helper !== null) {
      const door = await helper.call('bulk-door', {}, { actor: 'bulk' });
      now.door = door;
    }
  };

  const pauseIfAllRefused = async (mailing: Mailing, reply: string): Promise<void> => {
    const counts = (await countRecipients(db, [mailing.id])).get(mailing.id);
    const taken = counts ? counts.accepted + counts.deferred + counts.delivered : 0;
    if (counts === undefined || taken > 0 || counts.refused < MAX_REFUSED) return;
    await trouble(mailing, 'allRefused', reply);
    await moveMailing(db, mailing.id, ['running'], 'paused');
  };

  const endOrRest = async (mailing: Mailing): Promise<void> => {
    await work?.looking;
    const counts = (await countRecipients(db, [mailing.id])).get(mailing.id);
    const open = counts ? counts.waiting + counts.sending + counts.checking : 0;
    if (open > 0) {
      const seconds = (await secondsToNextTry(db, mailing.id)) ?? 1;
      return rounds.rest(Math.min(timing.idleMs, Math.max(50, seconds * 1000)));
    }
    if (await moveMailing(db, mailing.id, ['running'], 'done')) {
      await dropOldFiles(db);
      await courier.close();
    }
    work = null;
  };

  /** What became of messages of a mailing that is not being sent now. */
  const follow = async (mailing: Mailing): Promise<void> => {
    const { id } = mailing;
    // Of a batch that was under way when it was stopped, some may have come back.
    await dropWaitingOfCancelled(db, id);
    if (helper === null) return lookAgainIn(db, id, null);
    if (work?.id === id) await work.looking;
    await db.transaction(async (trx) => {
      if ((await checkAllSending(trx, id)) > 0) await beginCheck(trx, id);
    });
    await readOn({ db, helper }, mailing);
    const now = await readMailing(db, id);
    if (now !== null && now.checkSince !== null) {
      await settleChecks({ db, helper }, now, waitFor(null));
    }
    const counts = (await countRecipients(db, [id])).get(id);
    const age = (await secondsSinceLastSent(db, id)) ?? Infinity;
    const open = counts ? counts.accepted + counts.deferred + counts.checking : 0;
    const next = LOOKS.find((look) => age < look.age);
    await lookAgainIn(db, id, open === 0 ? null : (next?.every ?? null));
  };

  const turn = async (): Promise<boolean> => {
    const sending = await firstRunning(db);
    const mailing = sending ?? (await firstToFollow(db));
    if (mailing === null) {
      work = null;
      await lease.release();
      return false;
    }
    if (!(await lease.take())) {
      work = null;
      return false;
    }
    try {
      await (sending === null ? follow(mailing) : sendSome(mailing));
      return true;
    } catch (error) {
      if (!(error instanceof HelperError)) throw error;
      // Without it nobody knows where mail goes and what became of it.
      if (sending === null) await lookAgainIn(db, mailing.id, 30);
      else await trouble(mailing, 'helper', '');
      return false;
    }
  };

  let stuck: Trouble | null = null;
  const rounds = createRounds(async () => {
    try {
      const busy = await turn();
      stuck = null;
      return busy ? 0 : timing.idleMs;
    } catch (error) {
      stuck ??= { kind: 'database', reply: '', since: new Date().toISOString() };
      log.error({ err: error }, 'a mailing could not go on');
      // What was being sent is no longer certain: it is taken up anew.
      work = null;
      return timing.idleMs;
    }
  });

  return {
    start: () => rounds.start(),
    wake: () => rounds.wake(),
    stuck: () => stuck,
    async close() {
      await rounds.close();
      await work?.looking;
      await courier.close();
      await lease.release().catch(() => undefined);
    },
  };
}

/** With the files in memory once, however many get them. */
export async function writerOf(db: Knex, mailing: Mailing): Promise<MessageWriter> {
  const attachments = [];
  for (const { id, name, type } of await attachmentsOf(db, mailing.id)) {
    attachments.push({ name, type, bytes: await readBytes(db, id) });
  }
  const { key, secret, sender, senderName, subject, body, formatted } = mailing;
  return createMessageWriter({
    ...{ key, secret, from: sender, fromName: senderName, subject, body, formatted, attachments },
  });
}
