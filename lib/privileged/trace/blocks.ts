/** Reads the log in blocks of whole lines, from any place towards older or newer lines, across its pieces. */
import type { LogFiles, LogPiece } from './log-files.js';

/** Where a line begins: piece 0 is the newest. */
export interface Place {
  readonly piece: number;
  /** Bytes from the beginning of the piece. */
  readonly at: number;
}

/** Below 0 when `a` is older than `b`. */
export function comparePlaces(a: Place, b: Place): number {
  return b.piece - a.piece || a.at - b.at;
}

/** Whole lines. One character a byte, so that a place in the text is a place in the file. */
export interface Block extends Place {
  readonly text: string;
}

/** A line longer than this is passed over, in bytes. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

export interface BlockSize {
  /** Bytes of the first block, and up to what each further one doubles. */
  readonly first: number;
  readonly most: number;
}

/** Towards older lines, beginning with those that end at or before `from`. */
export async function* blocksBefore(
  files: LogFiles,
  from: Place,
  { first, most }: BlockSize,
): AsyncGenerator<Block, void> {
  let bytes = first;
  let buffer = Buffer.allocUnsafe(bytes);
  for (let index = from.piece; index < files.count; index += 1) {
    const piece = await files.piece(index);
    if (piece === null) continue;
    let end = index === from.piece ? Math.min(from.at, piece.size) : piece.size;
    while (end > 0) {
      const start = Math.max(0, end - bytes);
      if (buffer.length < end - start) buffer = Buffer.allocUnsafe(end - start);
      const read = await readAll(piece, buffer, start, end);
      const border = start === 0 ? 0 : buffer.subarray(0, read).indexOf(10) + 1;
      if (start > 0 && (border === 0 || border === read) && bytes < MAX_LINE_BYTES) {
        // One line fills all of it.
        bytes *= 2;
        continue;
      }
      yield { piece: index, at: start + border, text: buffer.toString('latin1', border, read) };
      end = border === read ? start : start + border;
      bytes = Math.min(bytes * 2, Math.max(first, most));
    }
  }
}

/** Towards newer lines, beginning with the one at `from`. */
export async function* blocksAfter(
  files: LogFiles,
  from: Place,
  { first, most }: BlockSize,
): AsyncGenerator<Block, void> {
  let bytes = first;
  for (let index = from.piece; index >= 0; index -= 1) {
    const piece = await files.piece(index);
    if (piece === null) continue;
    let start = index === from.piece ? from.at : 0;
    while (start < piece.size) {
      const end = Math.min(piece.size, start + bytes);
      const buffer = Buffer.allocUnsafe(end - start);
      const read = await readAll(piece, buffer, start, end);
      const last = end === piece.size ? read : buffer.subarray(0, read).lastIndexOf(10) + 1;
      if (last === 0 && bytes < MAX_LINE_BYTES) {
        bytes *= 2;
        continue;
      }
      const length = last === 0 ? read : last;
      yield { piece: index, at: start, text: buffer.toString('latin1', 0, length) };
      start += length;
      bytes = Math.min(bytes * 2, Math.max(first, most));
    }
  }
}

/** The beginning of the first line that lies after a border: `isAfter` says so of a line. For pieces in order of time. */
export async function seek(
  piece: LogPiece,
  isAfter: (line: string) => boolean,
  window: number,
): Promise<number> {
  let low = 0;
  let high = piece.size;
  const buffer = Buffer.allocUnsafe(window);
  while (high - low > window) {
    const middle = Math.floor((low + high) / 2);
    const read = await readAll(piece, buffer, middle, Math.min(piece.size, middle + window));
    const begin = buffer.subarray(0, read).indexOf(10) + 1;
    const end = buffer.subarray(0, read).indexOf(10, begin);
    if (begin === 0 || end < 0) break;
    if (isAfter(buffer.toString('latin1', begin, end))) high = middle;
    else low = middle + begin;
  }
  // Somewhat more than needed: what lies after the border is left out line by line.
  return Math.min(piece.size, high + window);
}

async function readAll(
  piece: LogPiece,
  buffer: Buffer,
  start: number,
  end: number,
): Promise<number> {
  let read = 0;
  while (start + read < end) {
    const { bytesRead } = await piece.handle.read(buffer, read, end - start - read, start + read);
    if (bytesRead === 0) break;
    read += bytesRead;
  }
  return read;
}
