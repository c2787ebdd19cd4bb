/**
 * `bulk-follow`: what the mail log says of the messages of a mailing since a place in it. To settle whether messages got
 * through after a crash, the queue is searched too, and what dead clients left behind is waited for.
 */
import {
  FOLLOW_PIECE,
  LOG_CURSOR,
  MAILING_KEY,
  type FollowedId,
  type FollowEvent,
  type FollowResult,
  type MailingIdentity,
} from '../../bulk/schema.js';
import { HelperError } from '../../errors.js';
import { isQueueId } from '../../queue/id.js';
import { searchQueue } from '../bulk/queue-search.js';
import { readLogPortion } from '../bulk/log-portion.js';
import { LogScan, type Missed } from '../bulk/scan.js';
import { hasOrphanedSession } from '../bulk/sessions.js';
import { runNative } from '../native.js';
import { POSTCONF, readConfig } from '../postfix/config-view.js';
import { publicListener } from '../postfix/listeners.js';
import type { Paths } from '../paths.js';
import { defineAction, plainParams } from './action.js';

/** Ids that one request may follow. */
const MAX_FOLLOWED = 200_000;
/** Longest address of a recipient or sender, in characters (RFC 5321 4.5.3.1.3). */
const MAX_ADDRESS_CHARS = 320;

interface FollowParams extends MailingIdentity {
  readonly cursor: string | null;
  /** Seconds since the first of them was tried, to settle what became of them; null only to read on. */
  readonly settle: number | null;
  /** Sender of the mailing. */
  readonly sender: string;
}

export const bulkFollowAction = defineAction({
  quiet: true,
  timeoutMs: 180_000,
  params: plainParams<FollowParams>({
    key: (key) => typeof key === 'string' && MAILING_KEY.test(key),
    secret: (secret) => typeof secret === 'string' && MAILING_KEY.test(secret),
    cursor: (cursor) => cursor === null || (typeof cursor === 'string' && LOG_CURSOR.test(cursor)),
    settle: (seconds) =>
      seconds === null || (Number.isSafeInteger(seconds) && Number(seconds) >= 0),
    sender: isAddress,
  }),
  run: async (params, { paths, items, progress, taken }): Promise<FollowResult> => {
    const { followed, recipients } = await readItems(items);
    const { key, secret, cursor, settle, sender } = params;
    const missed: Missed | null = settle === null ? null : { sender, recipients };
    const scan = new LogScan({ key, secret }, followed, missed);
    const tell = async (events: readonly FollowEvent[]): Promise<void> => {
      for (let at = 0; at < events.length; at += FOLLOW_PIECE) {
        const row = events.slice(at, at + FOLLOW_PIECE);
        progress({ done: at + row.length, total: events.length, row });
        await taken();
      }
    };
    // Asked first: what ends while the log is read is in the log that is read next time.
    const idle = settle === null || !(await isBusy(paths));
    const queue = settle === null ? null : await searchQueue(paths.queueDir, params, agoMs(settle));
    const named = await runNative(POSTCONF, ['-c', paths.configDir, '-h', 'maillog_file']);
    const portion = await readLogPortion(paths, named.stdout.trim(), cursor, (program, pid, text) =>
      scan.take(program, pid, text),
    );
    // The log follows what the queue shows: what is queued now may be delivered in it.
    await tell([...(queue?.events ?? []), ...scan.events]);
    return {
      cursor: portion.cursor,
      more: portion.more,
      gap: portion.gap,
      crashed: scan.crashed && portion.ownLogger,
      quiet: settle !== null && idle && queue?.open === false,
    };
  },
});

function agoMs(seconds: number): number {
  return Date.now() - seconds * 1000;
}

async function isBusy(paths: Paths): Promise<boolean> {
  const view = await readConfig(paths.configDir, paths);
  const listener = publicListener(view.master);
  return listener !== null && hasOrphanedSession(listener.port);
}

/** `[queue id, number]` for what is followed, `[address, number]` for what is looked for. */
async function readItems(items: AsyncIterable<unknown>): Promise<{
  readonly followed: readonly FollowedId[];
  readonly recipients: ReadonlyMap<string, number>;
}> {
  const followed: FollowedId[] = [];
  const recipients = new Map<string, number>();
  for await (const item of items) {
    if (!Array.isArray(item) || item.length > FOLLOW_PIECE) throw refused();
    for (const pair of item as readonly unknown[]) {
      const [name, no] = Array.isArray(pair) ? (pair as readonly unknown[]) : [];
      if (typeof name !== 'string' || !Number.isSafeInteger(no) || Number(no) < 0) throw refused();
      if (isQueueId(name)) followed.push([name, Number(no)]);
      else if (isAddress(name)) recipients.set(name.toLowerCase(), Number(no));
      else throw refused();
    }
    if (followed.length + recipients.size > MAX_FOLLOWED) throw refused();
  }
  return { followed, recipients };
}

// eslint-disable-next-line no-control-regex -- control characters are what this refuses
const ADDRESS = /^[^\u0000-\u0020<>\u007f]+@[^\u0000-\u0020<>@\u007f]+$/;

function isAddress(text: unknown): boolean {
  return typeof text === 'string' && text.length <= MAX_ADDRESS_CHARS && ADDRESS.test(text);
}

function refused(): HelperError {
  const key = 'helper.validate.params';
  return new HelperError({ stage: 'validate', key, values: {}, detail: 'ids', restored: true });
}
