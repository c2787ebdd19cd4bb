/** How much of a mail's size an attachment may take. */

/** 57 bytes become a line of 76 characters and CRLF (RFC 2045, 6.8). */
const BASE64_GROWTH = 78 / 57;
/** Below this, one decimal tells something. MB. */
const SMALL_MB = 10;

/** The largest attachment, in MB, that a mail of at most `limitMb` MB can carry: rounded down. */
export function largestAttachmentMb(limitMb: number): number {
  const exact = limitMb / BASE64_GROWTH;
  return exact < SMALL_MB ? Math.floor(exact * 10) / 10 : Math.floor(exact);
}

/** The limit, in MB, that lets an attachment of `attachmentMb` MB through: rounded up. */
export function limitForAttachmentMb(attachmentMb: number): number {
  return Math.ceil(attachmentMb * BASE64_GROWTH);
}
