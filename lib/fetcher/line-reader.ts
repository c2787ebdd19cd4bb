/** Lines of a socket as bytes, one at a time, without their ends. */
import type { Socket } from 'node:net';

/** Longest line, in bytes. fetchmail breaks those of mail long before, and Postfix says none as long. */
const MAX_LINE_BYTES = 4_000_000;

export interface LineReader {
  /** Null at the end. */
  line(): Promise<Buffer | null>;
}

export function createLineReader(socket: Socket): LineReader {
  let rest: Buffer = Buffer.alloc(0);
  let from = 0;
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  return {
    async line() {
      for (;;) {
        const end = rest.indexOf(10, from);
        if (end >= 0) {
          const line = rest.subarray(from, end > from && rest[end - 1] === 13 ? end - 1 : end);
          from = end + 1;
          return line;
        }
        rest = rest.subarray(from);
        from = 0;
        if (rest.length > MAX_LINE_BYTES) throw new RangeError('a line without an end');
        const next = await chunks.next().catch(() => ({ done: true as const, value: undefined }));
        if (next.done) return null;
        rest = rest.length === 0 ? next.value : Buffer.concat([rest, next.value]);
      }
    },
  };
}
