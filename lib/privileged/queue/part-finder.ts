/**
 * Finds in a long message where its parts seem to begin, without understanding MIME: a line that begins with two dashes,
 * and the lines up to the next empty one. Whether these are parts is for the web side to say.
 */
import { MAX_LATER_PARTS, type LaterPart } from '../../queue/schema.js';

/** What is kept of the headers of one part, in bytes. */
const MAX_PART_HEADER_BYTES = 4 * 1024;
const MARK = Buffer.from('\n--');
const EMPTY_LINE = Buffer.from('\n\n');

export class PartFinder {
  readonly found: LaterPart[] = [];
  /** The end of what was looked at, in which a part may have begun. */
  #tail = Buffer.alloc(0);
  /** Where the tail stands in the message. */
  #offset = 0;

  /** `from`: parts that begin before it are left out, in bytes. */
  constructor(private readonly from: number) {}

  /** Takes the next piece of the message. */
  look(piece: Buffer): void {
    const text = Buffer.concat([this.#tail, piece]);
    const sure = Math.max(0, text.length - MAX_PART_HEADER_BYTES);
    this.#search(text, sure);
    // The last bytes are looked at again with the next piece: a part may have begun in them.
    this.#tail = Buffer.from(text.subarray(sure));
    this.#offset += sure;
  }

  /** Call after the last piece. */
  finish(): readonly LaterPart[] {
    this.#search(this.#tail, this.#tail.length);
    return this.found;
  }

  /** Takes the parts that begin before `end`. */
  #search(text: Buffer, end: number): void {
    for (
      let at = text.indexOf(MARK);
      at >= 0 && at < end && this.found.length < MAX_LATER_PARTS;
      at = text.indexOf(MARK, at + 1)
    ) {
      this.#take(text, at + 1);
    }
  }

  #take(text: Buffer, line: number): void {
    if (this.#offset + line < this.from) return;
    const limit = Math.min(text.length, line + MAX_PART_HEADER_BYTES);
    const blank = text.indexOf(EMPTY_LINE, line);
    const stop = blank >= 0 && blank <= limit ? blank : text.indexOf(10, line);
    if (stop < 0 || stop > limit) return;
    this.found.push({ at: this.#offset + line, lines: text.toString('latin1', line, stop) });
  }
}
