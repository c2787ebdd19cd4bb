/** What a queue id looks like: the short form, and the long form of `enable_long_queue_ids` (Postfix, mail_queue.h). */

/** Hexadecimal microseconds and inode. */
const SHORT = /^[0-9A-F]{6,21}$/;

/** Seconds and microseconds in 52 digits without vowels, `z`, then the inode in the same digits without `z`. */
const LONG =
  /^[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]{1,20}$/;

/** Longest id that is understood, in characters. */
export const MAX_QUEUE_ID_LENGTH = 41;

/** For a Joi schema: the two forms as one pattern. */
export const QUEUE_ID_PATTERN = new RegExp(`(?:${SHORT.source}|${LONG.source})`);

export function isQueueId(text: string): boolean {
  return text.length <= MAX_QUEUE_ID_LENGTH && (SHORT.test(text) || LONG.test(text));
}

const DIGITS = '0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz';
const USEC_DIGITS = 4;
const USEC_HEX_DIGITS = 5;

/**
 * The digits Postfix makes the names of its hashed queue folders from, the first one first:
 * of a short id its own, of a long id its microseconds in hexadecimal (mail_queue_dir, mail_queue.c).
 */
export function hashDigits(id: string): string {
  if (SHORT.test(id)) return id;
  const separator = id.lastIndexOf('z');
  let microseconds = 0;
  for (const digit of id.slice(separator - USEC_DIGITS, separator)) {
    microseconds = microseconds * DIGITS.length + DIGITS.indexOf(digit);
  }
  return microseconds.toString(16).toUpperCase().padStart(USEC_HEX_DIGITS, '0');
}
