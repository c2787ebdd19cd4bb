/** What both sides say about a search of the mail log: what is looked for, what was found, how far the search got. */
import { isQueueId } from '../queue/id.js';

/** Longest text that can be looked for, in characters: an address has at most 320, a message id seldom more. */
export const MAX_WANTED_LENGTH = 320;
/** Messages one search finds; with more it ends and says so. */
export const MAX_FOUND = 500;
/** Refusals one search finds: they are short, and are counted by cause. */
export const MAX_FOUND_REFUSALS = 5_000;
/** How long one search may take, in seconds. */
export const MAX_SEARCH_SECONDS = 60;
/** All that one search may hand over, in characters. */
export const MAX_FOUND_LENGTH = 8_000_000;
/** Lines of one message that are handed over: the first and the last of them. */
export const MAX_MESSAGE_LINES = 300;
/** Ids that one message can go through: content filter, forwarding, mailing lists. */
export const MAX_LINKED_IDS = 40;
/** What is kept of one line, in characters. */
export const MAX_LINE_LENGTH = 2_000;

/** `messages` follows mails from hop to hop; `refusals` finds lines that say that something was turned away or put off. */
export const TRACE_KINDS = ['messages', 'refusals'] as const;
export type TraceKind = (typeof TRACE_KINDS)[number];

export interface Wanted {
  readonly kind: TraceKind;
  /** Part of the envelope sender in any case, `<>` for the null sender; '' for any. */
  readonly sender: string;
  /** Part of a recipient, before or after aliases; '' for any. */
  readonly recipient: string;
  /** A whole queue id; '' for any. */
  readonly id: string;
  /** Part of a Message-ID; '' for any. */
  readonly messageId: string;
  /** Any part of a line, for refusals: a client, an address; '' for any. */
  readonly text: string;
  /** Seconds since 1970; 0 for no border. */
  readonly since: number;
  readonly until: number;
}

const isText = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= MAX_WANTED_LENGTH && !CONTROL.test(value);
const isSeconds = (value: unknown): boolean =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < MAX_SECONDS;

/** No line of a log holds one. */
const CONTROL = /[\u0000-\u001f\u007f]/; // eslint-disable-line no-control-regex
/** The last moment a `Date` can hold, in seconds. */
const MAX_SECONDS = 8_640_000_000_000;

/** What each field may hold, the same on both sides. */
export const WANTED_TESTS: {
  readonly [Name in keyof Wanted]: (value: unknown) => boolean;
} = {
  kind: (value) => TRACE_KINDS.some((kind) => kind === value),
  sender: isText,
  recipient: isText,
  id: (value) => value === '' || (typeof value === 'string' && isQueueId(value)),
  messageId: isText,
  text: isText,
  since: isSeconds,
  until: isSeconds,
};

/** A line of the log. What was in it stays as it was, cut to `MAX_LINE_LENGTH`: hostile until it is made safe. */
export interface LogLine {
  /** Seconds since 1970. */
  readonly at: number;
  /** Such as `postfix/smtpd`. */
  readonly program: string;
  readonly text: string;
}

/** All lines of one mail that were found, the oldest first, whatever ids it went through. */
export interface FoundMessage {
  /** Queue ids in the order in which they appear; none for what was refused before it had one. */
  readonly ids: readonly string[];
  readonly lines: readonly LogLine[];
  /** Lines beyond `MAX_MESSAGE_LINES`, in the middle. */
  readonly leftOut: number;
  /** Its beginning lies before what the log still holds. */
  readonly headless: boolean;
}

/** Why a search ended before the end of the log. */
export type SearchLimit = 'time' | 'rows' | 'size' | 'unpacked' | 'cancelled';

export interface SearchEnd {
  readonly limit: SearchLimit | null;
  /** Where the lines come from; `none` when this machine keeps no mail log that could be read. */
  readonly source: 'file' | 'journal' | 'none';
  /** Bytes of log that were looked through. */
  readonly searched: number;
  /** The oldest moment that was looked at, in seconds since 1970; 0 when nothing was. */
  readonly reached: number;
  /** Rotated logs that could not be read: packed by a program that is missing, or broken. Names without folder. */
  readonly unreadable: readonly string[];
}
