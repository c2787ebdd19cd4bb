/** What both sides and the pages say about bulk mail: limits, states, message ids, what the mail log tells. */
import { createHmac } from 'node:crypto';

/** Longest subject, message and name of a sender, in characters. */
export const MAX_SUBJECT_CHARS = 200;
export const MAX_BODY_CHARS = 50_000;
export const MAX_FROM_NAME_CHARS = 100;
export const MAX_ATTACHMENTS = 10;
/** Messages a minute: what a new mailing begins with, and the most that can be set. 0 is as fast as the server takes them. */
export const DEFAULT_RATE = 600;
export const MAX_RATE = 60_000;
/** Most recipients of one mailing. */
export const MAX_RECIPIENTS = 100_000;
/** Mailings that are kept, the newest. */
export const KEPT_MAILINGS = 200;

export const MAILING_STATES = ['draft', 'running', 'paused', 'done', 'cancelled'] as const;
export type MailingState = (typeof MAILING_STATES)[number];

/**
 * `checking`: whether the mail server has it is being found out; `doubtful`: that could not be found out, a person decides;
 * `unsent`: the mailing was stopped before.
 */
export const RECIPIENT_STATES = [
  'leftOut',
  'waiting',
  'sending',
  'checking',
  'doubtful',
  'accepted',
  'deferred',
  'delivered',
  'refused',
  'bounced',
  'deleted',
  'unsent',
] as const;
export type RecipientState = (typeof RECIPIENT_STATES)[number];

/** Still to be done by us. */
export const OPEN_STATES = ['waiting', 'sending', 'checking'] as const;
/** Their message is in the mail server's hands, and more will be known of it. */
export const FOLLOWED_STATES = ['accepted', 'deferred'] as const;
/** Did not get it, as far as is known: a mailing can be sent to them again. */
export const FAILED_STATES = ['refused', 'bounced', 'deleted', 'unsent'] as const;

/** Key and secret of a mailing: random, and the same for ever. The key stands in its message ids. */
export const MAILING_KEY = /^[0-9a-f]{20}$/;

/** Who gets a message sees its id, and must not be able to make up somebody else's: that takes the secret. */
export interface MailingIdentity {
  readonly key: string;
  readonly secret: string;
}

const TAG_CHARS = 12;

/** The message id of one recipient's message, without brackets: the same however often it is tried. A test has a word for `no`. */
export function messageIdOf(of: MailingIdentity, no: number | string, domain: string): string {
  return `mailing.${of.key}.${no}.${tagOf(of, no)}@${domain}`;
}

function tagOf({ secret }: MailingIdentity, no: number | string): string {
  return createHmac('sha256', secret).update(String(no)).digest('hex').slice(0, TAG_CHARS);
}

/** Returns what finds the recipient's number in a text that holds such a message id; null when it holds none of ours. */
export function numberFinder(of: MailingIdentity): (text: string) => number | null {
  const pattern = new RegExp(`<mailing\\.${of.key}\\.(\\d{1,7})\\.([0-9a-f]{${TAG_CHARS}})@`);
  return (text) => {
    const [, no, tag] = pattern.exec(text) ?? [];
    return no !== undefined && tag === tagOf(of, no) ? Number(no) : null;
  };
}

/**
 * What log or queue tell of a recipient's message. `known`: it has that queue id now; `queued`: Postfix has it for good;
 * `sent`: one delivery of it; `removed`: all of it is done; `deleted`: somebody took it out of the queue.
 */
export const FOLLOW_KINDS = [
  'known',
  'queued',
  'sent',
  'deferred',
  'bounced',
  'removed',
  'deleted',
] as const;
export type FollowKind = (typeof FOLLOW_KINDS)[number];

export type FollowEvent = readonly [no: number, kind: FollowKind, queueId: string, reply: string];

/** A message whose queue id is known and whose end is not. */
export type FollowedId = readonly [queueId: string, no: number];

/** Most items in one line of a request, or of an answer. */
export const FOLLOW_PIECE = 1_000;
/** Longest reply of a server that is kept, in characters. */
export const MAX_REPLY_CHARS = 500;

/** A place in the mail log: `file.<inode>.<offset>`, `journal.<cursor>` or `time.<seconds since 1970>`. */
export const LOG_CURSOR =
  /^(?:file\.\d{1,20}\.\d{1,15}|time\.\d{1,12}|journal\.[A-Za-z0-9=;]{10,400})$/;

export interface FollowResult {
  /** Where to go on reading; null when no log can be read. */
  readonly cursor: string | null;
  /** There is more to read. */
  readonly more: boolean;
  /** Lines are missing between the cursor that was given and what was read. */
  readonly gap: boolean;
  /** Postfix ended without a word and was started again: lines of that moment may never have been written. */
  readonly crashed: boolean;
  /** Nothing is under way any more of clients that are gone, and the queue was looked through. Only when that was asked. */
  readonly quiet: boolean;
}

/** Where Postfix takes our mail, and how. */
export interface BulkDoor {
  readonly host: string;
  readonly port: number;
  /** Largest message in bytes; 0 without a limit. */
  readonly sizeLimit: number;
  /** A content filter works before Postfix says yes, so that its answer may take long. */
  readonly filtered: boolean;
}
