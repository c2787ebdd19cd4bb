/** What both sides say about mail that the content filter kept back. */
import type { LaterPart } from '../queue/schema.js';

export const QUARANTINE_KINDS = ['virus', 'spam', 'banned', 'badh'] as const;
export type QuarantineKind = (typeof QUARANTINE_KINDS)[number];

/**
 * How amavis names a file, which holds the whole message and before it `X-Envelope-From`, `X-Envelope-To` and
 * `X-Quarantine-ID`: its kind, and its own id of the mail, twelve letters, digits or the signs `-` and `_` where nobody
 * configured otherwise. Packed ones end in `.gz`.
 */
const ID = /^(virus|spam|banned|badh)-[A-Za-z0-9][\w-]{4,30}[A-Za-z0-9](?:\.gz)?$/;

/** `ham`: delivered, and learnt as no spam. `spam`: learnt as spam; it stays where it is. */
export const QUARANTINE_ACTIONS = ['release', 'ham', 'spam', 'delete'] as const;
export type QuarantineAction = (typeof QUARANTINE_ACTIONS)[number];

export function delivers(action: QuarantineAction): boolean {
  return action === 'release' || action === 'ham';
}

/** Mails that a listing shows, the newest; more are counted. */
export const MAX_LISTED = 20_000;
/** Most mails that one request may act on. */
export const MAX_ACT_IDS = 50_000;
/** Most ids in one item of a request that acts. */
export const MAX_ITEM_IDS = 1_000;
/** What is read of a mail to list it, and to show it, in bytes. */
export const MAX_HEADER_BYTES = 32 * 1024;
export const MAX_SHOWN_BYTES = 256 * 1024;
/** What is learnt of a mail, in bytes: no more than SpamAssassin looks at. */
export const MAX_LEARN_BYTES = 512 * 1024;
/**
 * After so long a request takes up no further mail, and the rest is asked for anew, in milliseconds: to learn takes seconds
 * for each, and no request may take an hour.
 */
export const ACT_SLICE_MS = 20 * 60 * 1000;
/** Failures that are told one by one; more are counted. */
export const MAX_TOLD_FAILURES = 50;
/** How long mail is kept, in days: what can be chosen, and what holds until somebody chooses. */
export const KEEP_DAYS = [7, 14, 30, 60, 90, 365] as const;
export const DEFAULT_KEEP_DAYS = 30;

export function isQuarantineId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

export function kindOf(id: string): QuarantineKind {
  return QUARANTINE_KINDS.find((kind) => id.startsWith(`${kind}-`)) ?? 'badh';
}

/** One mail as a listing tells it. Texts are as they stand in the mail: hostile until they are made safe. */
export interface QuarantineRow {
  readonly id: string;
  /** Of the file, in bytes. */
  readonly size: number;
  /** When it was kept back, in seconds since 1970. */
  readonly at: number;
  /** The envelope; '' for the null sender. */
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly subject: string;
  readonly from: string;
  readonly messageId: string;
  /** Name of the virus, or of the attachment; '' without one. */
  readonly what: string;
  /** Points SpamAssassin gave; null when it was not asked. */
  readonly score: number | null;
  /** Names of the tests that found something. */
  readonly tests: readonly string[];
}

export interface ShownQuarantine {
  readonly row: QuarantineRow;
  /** The first `MAX_SHOWN_BYTES` of the mail as it came, base64. */
  readonly head: string;
  /** Length of it, in bytes. */
  readonly bytes: number;
  readonly later: readonly LaterPart[];
}

export interface QuarantineFailure {
  readonly id: string;
  /**
   * `infected`: a virus needs a second yes; `refused`: Postfix did not take it; `away`: it does not listen; `broken`: the
   * file names no recipient; `virusSpam`: a virus teaches nothing about spam; `learn`: delivered, but not learnt.
   */
  readonly why: 'infected' | 'refused' | 'away' | 'broken' | 'tool' | 'virusSpam' | 'learn';
  readonly detail: string;
}

export interface QuarantineActResult {
  readonly done: number;
  /** Mails that had gone before. */
  readonly gone: number;
  readonly failed: number;
  /** Delivered, but not learnt. */
  readonly unlearnt: number;
  /** The first `MAX_TOLD_FAILURES`, those that were not learnt among them. */
  readonly failures: readonly QuarantineFailure[];
  /** How many of the ids, the last of them, were not come to: stopped, or out of time. */
  readonly left: number;
  readonly cancelled: boolean;
}
