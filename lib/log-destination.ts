/** Where a service's log lines go. A full disk below them costs lines, and never the service. */
import { write, writeSync } from 'node:fs';

/** How many bytes wait at most while none can be written; lines beyond that are left out. */
const MAX_WAITING_BYTES = 256 * 1024;
/** Pause before what could not be written is tried again, in milliseconds. */
const AGAIN_MS = 1_000;

export interface LogDestination {
  write(line: string): void;
}

/** A write to the file descriptor that fails is tried again, and never throws. What waits at the end is tried once more. */
export function createLogDestination(descriptor: number): LogDestination {
  const waiting: Buffer[] = [];
  let waitingBytes = 0;
  let busy = false;
  let again: NodeJS.Timeout | undefined;

  const next = (): void => {
    const line = waiting[0];
    if (busy || line === undefined) return;
    busy = true;
    write(descriptor, line, (error, written) => {
      busy = false;
      taken(written);
      if (!error) return next();
      clearTimeout(again);
      again = setTimeout(next, AGAIN_MS).unref();
    });
  };
  /** Half a line may have found room: the rest of it comes first. */
  const taken = (bytes: number): void => {
    const [line] = waiting;
    if (line === undefined) return;
    waitingBytes -= bytes;
    if (bytes < line.length) waiting[0] = line.subarray(bytes);
    else waiting.shift();
  };

  process.once('exit', () => {
    // The one that is being written is on its way already.
    const rest = Buffer.concat(busy ? waiting.slice(1) : waiting);
    try {
      if (rest.length > 0) writeSync(descriptor, rest);
    } catch {
      // Nobody is left who could be told.
    }
  });

  return {
    write: (line) => {
      const bytes = Buffer.from(line);
      if (waitingBytes + bytes.length > MAX_WAITING_BYTES) return;
      waiting.push(bytes);
      waitingBytes += bytes.length;
      next();
    },
  };
}
