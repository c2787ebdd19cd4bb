/** Finds messages of a mailing among what came into the queue lately, whatever the log says. Reads, never changes. */
import { readdirSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { numberFinder, type FollowEvent, type MailingIdentity } from '../../bulk/schema.js';
import { hasCode } from '../files.js';

const QUEUES = ['incoming', 'active', 'deferred', 'hold'] as const;
/** Files that are looked into; with more nobody can say that one is not there. */
const MAX_FILES = 50_000;
/** The message id stands near the beginning, behind what servers on the way added. Bytes. */
const HEAD_BYTES = 16 * 1024;
/** Folders of hashed names are one letter. */
const FOLDER_NAME_LENGTH = 1;
/** A finished file may be executed, one that is still written may not (mail_queue(3)). */
const FINISHED = 0o100;
/** One that is still not finished after so long belongs to nobody, in milliseconds. */
const WRITING_LIMIT_MS = 60_000;

export interface QueueSearch {
  readonly events: readonly FollowEvent[];
  /** Somebody is still writing, or there was too much to look at. */
  readonly open: boolean;
}

/** `sinceMs` on this machine's clock: older files are passed over. */
export async function searchQueue(
  queueDir: string,
  of: MailingIdentity,
  sinceMs: number,
): Promise<QueueSearch> {
  const find = numberFinder(of);
  const events: FollowEvent[] = [];
  let unfinished = false;
  let looked = 0;
  for (const queue of QUEUES) {
    for (const file of filesBelow(`${queueDir}/${queue}`)) {
      const seen = await look(file, sinceMs);
      if (seen === null) continue;
      looked += 1;
      if (looked > MAX_FILES) return { events, open: true };
      if (!seen.finished) {
        unfinished ||= Date.now() - seen.changedMs < WRITING_LIMIT_MS;
        continue;
      }
      const no = find(seen.head);
      const id = file.slice(file.lastIndexOf('/') + 1);
      if (no !== null) events.push([no, 'known', id, ''], [no, 'queued', id, '']);
    }
  }
  return { events, open: unfinished };
}

interface Seen {
  readonly head: string;
  readonly finished: boolean;
  readonly changedMs: number;
}

async function look(file: string, sinceMs: number): Promise<Seen | null> {
  try {
    const { birthtimeMs, ctimeMs, mode } = await stat(file);
    if (birthtimeMs > 0 && birthtimeMs < sinceMs) return null;
    const handle = await open(file, 'r');
    try {
      const bytes = Buffer.alloc(HEAD_BYTES);
      const { bytesRead } = await handle.read(bytes, 0, HEAD_BYTES, 0);
      const head = bytes.toString('latin1', 0, bytesRead);
      return { head, finished: (mode & FINISHED) !== 0, changedMs: ctimeMs };
    } finally {
      await handle.close();
    }
  } catch (error) {
    // It went on while it was looked at; the log tells where to.
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

function* filesBelow(folder: string): Generator<string> {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return;
    throw error;
  }
  for (const name of names) {
    if (name.length === FOLDER_NAME_LENGTH) yield* filesBelow(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}
