/** Reads a file of JSON lines: only a line feed ends a line, and every line has its number. */
import { createHash } from 'node:crypto';
import { ImportError, MAX_LINE_BYTES } from './format.js';

export interface NumberedLine {
  readonly number: number;
  readonly value: Readonly<Record<string, unknown>>;
  /** The line as it stands, for values that JavaScript's numbers would round. */
  readonly text: string;
  /** Digest of all bytes before this line. */
  readonly digestBefore: () => string;
}

const LINE_FEED = 0x0a;

/** Throws `ImportError` for what is no JSON object, not UTF-8, too long, or cut off. */
export async function* readLines(
  input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<NumberedLine, void> {
  const hash = createHash('sha256');
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let number = 0;
  for await (const bytes of splitLines(input)) {
    number += 1;
    if (bytes === null) throw new ImportError(number, `is longer than ${MAX_LINE_BYTES} bytes`);
    if (bytes.at(-1) !== LINE_FEED) throw new ImportError(number, 'the file is cut off here');
    const earlier = hash.copy();
    hash.update(bytes);
    const text = decode(decoder, bytes, number);
    yield {
      number,
      text,
      value: parse(text, number),
      digestBefore: () => earlier.digest('hex'),
    };
  }
}

function decode(
  decoder: { decode(bytes: Uint8Array): string },
  bytes: Uint8Array,
  number: number,
): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new ImportError(number, 'is damaged: not UTF-8', { cause });
  }
}

function parse(text: string, number: number): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ImportError(number, 'is damaged: not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ImportError(number, 'is damaged: no JSON object');
  }
  return value as Readonly<Record<string, unknown>>;
}

/** Lines with their line feed; null for one that is too long. */
async function* splitLines(
  input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array | null, void> {
  let held: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      if (end < 0) break;
      yield Buffer.concat([...held, chunk.subarray(start, end + 1)]);
      held = [];
      length = 0;
      start = end + 1;
    }
    held.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > MAX_LINE_BYTES) {
      yield null;
      return;
    }
  }
  const rest = Buffer.concat(held);
  if (rest.length > 0) yield rest;
}
