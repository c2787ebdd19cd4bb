/** Files that were sent and wait for the yes of the person who sent them: in memory, few, and not for long. */
import { randomUUID } from 'node:crypto';
import type { BackupFile } from './file.js';

/** How long a file waits, in milliseconds. */
export const WAIT_MS = 30 * 60_000;
/** How many wait at most; the oldest goes first. */
const MAX_WAITING = 5;

interface Waiting {
  readonly owner: string;
  readonly file: BackupFile;
  readonly at: number;
}

export interface WaitingFiles {
  /** Returns what the form has to carry. */
  keep(file: BackupFile, owner: string): string;
  /** Null when there is no such file, or it is somebody else's. */
  find(reference: string, owner: string): BackupFile | null;
  drop(reference: string): void;
}

export function createWaitingFiles(now: () => number = Date.now): WaitingFiles {
  const files = new Map<string, Waiting>();
  const sweep = (): void => {
    for (const [reference, { at }] of files) {
      if (files.size > MAX_WAITING || now() - at > WAIT_MS) files.delete(reference);
    }
  };
  return {
    keep(file, owner) {
      const reference = randomUUID();
      files.set(reference, { owner, file, at: now() });
      sweep();
      return reference;
    },
    find(reference, owner) {
      sweep();
      const found = files.get(reference);
      return found?.owner === owner ? found.file : null;
    },
    drop: (reference) => void files.delete(reference),
  };
}
