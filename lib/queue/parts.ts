/**
 * The parts of a message by their borders (RFC 2046, 5.1), from its beginning and from what looks like parts behind it:
 * so the attachments of a mail of any size can be listed though only its beginning was read.
 */
import type { LaterPart } from './schema.js';

/** Parts that are listed at most. */
export const MAX_PARTS = 100;
/** What is read of the headers of one part, in characters. */
const MAX_HEADER_LENGTH = 8 * 1024;

export interface MessagePart {
  /** Header lines, one character a byte. */
  readonly headers: string;
  /** Length of the content as it was sent, in bytes; null when the end is not known. */
  readonly encodedBytes: number | null;
}

interface Line {
  readonly at: number;
  /** The border line and the lines after it. */
  readonly text: string;
}

/** Leaf parts in their order; none for a message of one part. `head` has one character a byte. */
export function listParts(
  head: string,
  later: readonly LaterPart[],
  bytes: number,
): readonly MessagePart[] {
  const top = headerBlock(head);
  const borders = new Set<string>(boundariesOf(top));
  if (borders.size === 0) return [];
  const parts: { headers: string; from: number; to: number | null }[] = [];
  let open: (typeof parts)[number] | null = null;
  const close = (at: number): void => {
    if (open) open.to = Math.max(open.from, at - 1);
    open = null;
  };
  for (const { at, text } of lines(head, later)) {
    const first = text.slice(2, endOfLine(text)).trimEnd();
    if (first.endsWith('--') && borders.has(first.slice(0, -2))) {
      close(at);
      continue;
    }
    if (!borders.has(first)) continue;
    close(at);
    const headers = headerBlock(text.slice(endOfLine(text) + 1));
    const inner = boundariesOf(headers);
    for (const border of inner) borders.add(border);
    if (inner.length > 0) continue;
    if (parts.length >= MAX_PARTS) break;
    open = { headers, from: at + endOfLine(text) + 1 + headers.length + 1, to: null };
    parts.push(open);
  }
  return parts.map(({ headers, from, to }) => ({
    headers,
    encodedBytes: to === null ? (bytes > from ? bytes - from : null) : to - from,
  }));
}

function* lines(head: string, later: readonly LaterPart[]): Generator<Line, void> {
  for (let at = head.indexOf('\n--'); at >= 0; at = head.indexOf('\n--', at + 1)) {
    yield { at: at + 1, text: head.slice(at + 1, at + 1 + MAX_HEADER_LENGTH) };
  }
  for (const { at, lines: text } of later) yield { at, text: `${text}\n` };
}

function endOfLine(text: string): number {
  const end = text.indexOf('\n');
  return end < 0 ? text.length : end;
}

/** The lines up to the first empty one. */
function headerBlock(text: string): string {
  if (text.startsWith('\n') || text.startsWith('\r\n')) return '';
  const end = /\r?\n\r?\n/.exec(text.slice(0, MAX_HEADER_LENGTH * 4));
  return end ? text.slice(0, end.index + 1) : text.slice(0, MAX_HEADER_LENGTH);
}

/** Boundary parameters of multipart headers; a folded header is one line. */
function boundariesOf(headers: string): readonly string[] {
  const unfolded = headers.replace(/\r?\n[ \t]+/g, ' ');
  const found: string[] = [];
  for (const line of unfolded.split(/\r?\n/)) {
    if (!/^content-type:\s*multipart\//i.test(line)) continue;
    const [, quoted, plain] =
      /boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(line) ?? [];
    const border = (quoted ?? plain ?? '').trimEnd();
    if (border !== '') found.push(border);
  }
  return found;
}
