/**
 * Writes the messages of a mailing (RFC 5322, RFC 2045 to 2047, RFC 2231): the parts that are the same for everybody once,
 * the others for each recipient. Pure. Nothing that is filled in can begin a header, a line of a header or a part.
 */
import { messageIdOf, type MailingIdentity } from './schema.js';
import { htmlTemplate, plainTemplate, type Addressee } from './template.js';

/** Longest line of encoded text, without its end (RFC 2045 6.7). */
const MAX_ENCODED_LINE = 76;
/** Bytes of text in one encoded word, so that it has at most 75 characters in Base64 (RFC 2047 2). */
const WORD_BYTES = 42;
/** Bytes of a file in one line of Base64. */
const BASE64_LINE_BYTES = 57;

export interface MailingContent extends MailingIdentity {
  /** A plain address with its domain in A-labels. */
  readonly from: string;
  readonly fromName: string;
  readonly subject: string;
  readonly body: string;
  /** With formatting there is a part in HTML beside the text. */
  readonly formatted: boolean;
  readonly attachments: readonly AttachedFile[];
}

export interface AttachedFile {
  readonly name: string;
  readonly type: string;
  readonly bytes: Buffer;
}

export interface MessageWriter {
  /** One message with CRLF, dots not doubled, in pieces that are sent one after the other. `id` stands in for the number in a test. */
  write(addressee: Addressee, no: number | string, date: Date): readonly Buffer[];
}

export function createMessageWriter(content: MailingContent): MessageWriter {
  const { key, from, fromName, formatted, attachments } = content;
  const domain = from.slice(from.lastIndexOf('@') + 1);
  const subject = plainTemplate(content.subject);
  const text = plainTemplate(content.body);
  const html = formatted ? htmlTemplate(content.body, content.subject) : null;
  const files = attachments.map((file) => filePart(file, `=_mixed_${key}`));
  const end = Buffer.from(`\r\n--=_mixed_${key}--\r\n`);

  const bodyPart = (addressee: Addressee): string => {
    const plain = textPart('text/plain', text(addressee));
    if (html === null) return plain;
    const border = `=_either_${key}`;
    return [
      `Content-Type: multipart/alternative; boundary="${border}"`,
      '',
      `--${border}`,
      plain,
      `--${border}`,
      textPart('text/html', html(addressee)),
      `--${border}--`,
      '',
    ].join('\r\n');
  };

  return {
    write(addressee, no, date) {
      const id = messageIdOf(content, no, domain);
      const headers = [
        `Date: ${dateHeader(date)}`,
        `From: ${mailbox(fromName, from, 'From: ')}`,
        `To: ${mailbox(addressee.name, addressee.address, 'To: ')}`,
        `Message-ID: <${id}>`,
        `Subject: ${words(subject(addressee), 'Subject: '.length)}`,
        'Auto-Submitted: auto-generated',
        'Precedence: bulk',
        'MIME-Version: 1.0',
      ].join('\r\n');
      const body = bodyPart(addressee);
      if (files.length === 0) return [Buffer.from(`${headers}\r\n${body}`)];
      const border = `=_mixed_${key}`;
      const head = `${headers}\r\nContent-Type: multipart/mixed; boundary="${border}"\r\n\r\n--${border}\r\n${body}`;
      return [Buffer.from(head), ...files, end];
    },
  };
}

/** How large the largest message becomes, about, in bytes: names of recipients are taken as long as they can be. */
export function messageBytes(content: MailingContent): number {
  const long = { name: 'x'.repeat(100), login: 'x'.repeat(64), address: `x@${'x'.repeat(100)}` };
  return createMessageWriter(content)
    .write(long, 0, new Date(0))
    .reduce((sum, piece) => sum + piece.length, 0);
}

function textPart(type: string, text: string): string {
  return [
    `Content-Type: ${type}; charset=utf-8`,
    'Content-Transfer-Encoding: quoted-printable',
    '',
    quotedPrintable(text),
    '',
  ].join('\r\n');
}

function filePart({ name, type, bytes }: AttachedFile, border: string): Buffer {
  const head = [
    '',
    `--${border}`,
    `Content-Type: ${/^[\w.+-]{1,64}\/[\w.+-]{1,64}$/.test(type) ? type : 'application/octet-stream'}`,
    `Content-Disposition: attachment;\r\n ${fileName(name)}`,
    'Content-Transfer-Encoding: base64',
    '',
    '',
  ].join('\r\n');
  return Buffer.concat([Buffer.from(head), base64Lines(bytes)]);
}

function base64Lines(bytes: Buffer): Buffer {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += BASE64_LINE_BYTES) {
    lines.push(bytes.toString('base64', at, Math.min(bytes.length, at + BASE64_LINE_BYTES)));
  }
  return Buffer.from(lines.join('\r\n'));
}

/** A plain name in quotes, any other percent-encoded in pieces (RFC 2231 3 and 4). */
function fileName(name: string): string {
  if (/^[A-Za-z0-9 ._()+-]{1,60}$/.test(name)) return `filename="${name}"`;
  const pieces: string[] = [];
  let piece = '';
  for (const character of name) {
    const encoded = [...Buffer.from(character)]
      .map((byte) =>
        /[A-Za-z0-9._-]/.test(String.fromCharCode(byte))
          ? String.fromCharCode(byte)
          : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
      )
      .join('');
    if (piece.length + encoded.length > 50) {
      pieces.push(piece);
      piece = '';
    }
    piece += encoded;
  }
  return [...pieces, piece]
    .map((one, index) => `filename*${index}*=${index === 0 ? "utf-8''" : ''}${one}`)
    .join(';\r\n ');
}

/** `"Anna Berger" <anna@example.com>`; a name that is not plain becomes encoded words, which no address can be hidden in. */
function mailbox(name: string, address: string, before: string): string {
  if (name === '') return `<${address}>`;
  const plain = /^[A-Za-z0-9 ._'-]{1,60}$/.test(name) && name.trim() === name;
  const shown = plain ? `"${name}"` : words(name, before.length, true);
  const fits = before.length + shown.length + address.length + 3 <= MAX_ENCODED_LINE;
  return `${shown}${fits && !shown.includes('\n') ? ' ' : '\r\n '}<${address}>`;
}

/** Plain text as it is while it fits into one line; else encoded words, never cut inside a character (RFC 2047). */
export function words(text: string, before: number, always = false): string {
  const plain = /^[\x20-\x7e]*$/.test(text) && !text.includes('=?') && text.trim() === text;
  if (plain && !always && before + text.length <= MAX_ENCODED_LINE) return text;
  const found: string[] = [];
  let word = '';
  for (const character of text) {
    if (Buffer.byteLength(word + character) > WORD_BYTES) {
      found.push(word);
      word = '';
    }
    word += character;
  }
  return [...found, word]
    .map((one) => `=?utf-8?B?${Buffer.from(one).toString('base64')}?=`)
    .join('\r\n ');
}

const HEX = Array.from(
  { length: 256 },
  (_, byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`,
);

/** RFC 2045 6.7; a line that begins with a dot or `From ` is written so that nobody has to change it on the way. */
export function quotedPrintable(text: string): string {
  return text
    .split(/\r\n|\n|\r/)
    .map(encodeLine)
    .join('\r\n');
}

function encodeLine(line: string): string {
  const bytes = Buffer.from(line);
  const lines: string[] = [];
  let current = '';
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    const last = at === bytes.length - 1;
    const blank = byte === 0x20 || byte === 0x09;
    const first = current === '';
    const literal =
      (blank && !last) ||
      (byte >= 0x21 &&
        byte <= 0x7e &&
        byte !== 0x3d &&
        !(
          first &&
          (byte === 0x2e || (byte === 0x46 && bytes.toString('latin1', at, at + 5) === 'From '))
        ));
    const piece = literal ? String.fromCharCode(byte) : (HEX[byte] ?? '');
    if (current.length + piece.length > MAX_ENCODED_LINE - 1) {
      lines.push(`${current}=`);
      current = '';
      at -= 1;
      continue;
    }
    current += piece;
  }
  return [...lines, current].join('\r\n');
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** In the machine's own time zone (RFC 5322 3.3). */
function dateHeader(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const day = `${DAYS[date.getDay()] ?? ''}, ${date.getDate()} ${MONTHS[date.getMonth()] ?? ''} ${date.getFullYear()}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone}`;
}
