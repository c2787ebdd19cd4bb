/** Reads a queued message for people: decoded headers, its text, its attachments by name. Hostile mail stays text. */
import PostalMime, { decodeWords } from 'postal-mime';
import { htmlToText } from './html-text.js';
import { listParts, type MessagePart } from './parts.js';
import { safeFileName, safeLine, safeText } from './safe-text.js';
import { MAX_SHOWN_BYTES, type ShownMessage } from './schema.js';

/** What is shown of the text, in characters. */
export const MAX_TEXT_LENGTH = 100_000;
/** What is shown of one header, in characters, and how many headers. */
const MAX_HEADER_LENGTH = 2_000;
const MAX_HEADERS = 200;
/** Deepest nesting of parts that is followed. */
const MAX_NESTING = 64;

export interface ReadHeader {
  readonly name: string;
  readonly value: string;
}

export interface ReadAttachment {
  readonly name: string;
  /** Such as `application/pdf`. */
  readonly type: string;
  /** Of the file itself, in bytes; null when it is not known. */
  readonly bytes: number | null;
}

export interface ReadMessage {
  readonly subject: string;
  readonly headers: readonly ReadHeader[];
  readonly text: string;
  /** `plain` as it was written, `html` turned into text, `raw` because it could not be read as mail, `none`. */
  readonly source: 'plain' | 'html' | 'raw' | 'none';
  /** True when there is more text than is shown, or than was read. */
  readonly cut: boolean;
  readonly attachments: readonly ReadAttachment[];
}

/** Never throws: what is no proper mail is shown as it is. */
export async function readMessage(
  shown: Pick<ShownMessage, 'head' | 'bytes' | 'later'>,
): Promise<ReadMessage> {
  const head = Buffer.from(shown.head, 'base64');
  const cutShort = shown.bytes > head.length;
  try {
    const mail = await PostalMime.parse(head, {
      maxNestingDepth: MAX_NESTING,
      maxHeadersSize: MAX_SHOWN_BYTES,
      rfc822Attachments: true,
    });
    const plain = mail.text ?? '';
    const html = plain.trim() === '' ? htmlToText(mail.html ?? '') : '';
    const text = safeText(plain.trim() === '' ? html : plain);
    return {
      subject: safeLine(mail.subject ?? ''),
      headers: mail.headers.slice(0, MAX_HEADERS).map(({ originalKey, value }) => ({
        name: safeLine(originalKey).slice(0, MAX_HEADER_LENGTH),
        value: safeLine(decodeWordsSafely(value)).slice(0, MAX_HEADER_LENGTH),
      })),
      text: text.slice(0, MAX_TEXT_LENGTH),
      source: plain.trim() !== '' ? 'plain' : html !== '' ? 'html' : 'none',
      cut: text.length > MAX_TEXT_LENGTH || (cutShort && mail.attachments.length === 0),
      attachments: await readAttachments(head, shown),
    };
  } catch {
    const text = safeText(head.toString('utf8'));
    return {
      subject: '',
      headers: [],
      text: text.slice(0, MAX_TEXT_LENGTH),
      source: 'raw',
      cut: text.length > MAX_TEXT_LENGTH || cutShort,
      attachments: [],
    };
  }
}

async function readAttachments(
  head: Buffer,
  { bytes, later }: Pick<ShownMessage, 'bytes' | 'later'>,
): Promise<readonly ReadAttachment[]> {
  const parts = listParts(head.toString('latin1'), later, bytes);
  const read = await Promise.all(parts.map(readPart));
  return read.filter((attachment) => attachment !== null);
}

/** Null for a part that is the text of the mail itself. */
async function readPart({ headers, encodedBytes }: MessagePart): Promise<ReadAttachment | null> {
  const type =
    /^content-type:\s*([^\s;]{1,100})/im.exec(headers)?.[1]?.toLowerCase() ?? 'text/plain';
  const encoding = /^content-transfer-encoding:\s*([^\s;]{1,40})/im
    .exec(headers)?.[1]
    ?.toLowerCase();
  const attached = /^content-disposition:\s*attachment/im.test(headers);
  const named = /(?:file)?name\*?(?:\d\*?)?\s*=/i.test(headers);
  if (!attached && !named && (type === 'text/plain' || type === 'text/html')) return null;
  return {
    name: safeFileName(await nameOf(headers)),
    type: safeLine(type),
    bytes: encodedBytes === null ? null : decodedBytes(encodedBytes, encoding),
  };
}

/** Names come encoded in several ways (RFC 2047, RFC 2231): the part is read as a mail of its own. */
async function nameOf(headers: string): Promise<string> {
  try {
    const bytes = Buffer.from(`${headers.trimEnd()}\n\nx\n`, 'latin1');
    const { attachments } = await PostalMime.parse(bytes, { forceRfc822Attachments: true });
    return attachments[0]?.filename ?? '';
  } catch {
    return '';
  }
}

/** Base64 has four characters for three bytes, and a newline after 76 (RFC 2045, 6.8). */
function decodedBytes(encoded: number, encoding: string | undefined): number {
  if (encoding !== 'base64') return encoded;
  const characters = encoded - Math.floor(encoded / 77);
  return Math.floor(characters / 4) * 3;
}

function decodeWordsSafely(value: string): string {
  try {
    return decodeWords(value);
  } catch {
    return value;
  }
}
