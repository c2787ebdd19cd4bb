/**
 * What was handed to Postfix and may be offered by the provider again: a message is noted before Postfix gets its last
 * line, and noted again with what Postfix said. What was taken and comes again is not handed over a second time. What has no
 * answer is in doubt: Postfix, or we, were ended at that very moment, and nobody can know whether it is there (RFC 1047).
 * That one is handed over once more, never lost, and told.
 *
 * One session at a time writes here, under the lock of its query. Within one session nothing comes twice, so two equal
 * messages in a mailbox are two messages: only what earlier sessions noted is known, each note for one message.
 */
import { constants } from 'node:fs';
import { open, readFile, rename, type FileHandle } from 'node:fs/promises';

type Mark = '?' | '+' | '-';

/** What earlier sessions know of a message. */
export type Known = 'taken' | 'doubtful' | 'new';

export interface Journal {
  /** What was taken is used up by that: the next equal message is another one. */
  recall(digest: string): Known;
  /** Postfix is about to get the last line of it. */
  offered(digest: string): Promise<void>;
  took(digest: string): Promise<void>;
  declined(digest: string): Promise<void>;
  /**
   * The session ended well: the provider heard of all that was taken or recalled in it, and will not send it again.
   * `everything`: each message it had was offered in this session, so there is nothing left to know.
   */
  settle(everything: boolean): Promise<void>;
  close(): Promise<void>;
}

interface Notes {
  readonly taken: Map<string, number>;
  readonly doubtful: Map<string, number>;
}

/** To be opened under the lock. */
export async function openJournal(file: string): Promise<Journal> {
  const before = readNotes(await readFile(file, 'utf8').catch(() => ''));
  const unanswered = new Map<string, number>();
  let handle = await openForNotes(file);

  const note = async (mark: Mark, digest: string): Promise<void> => {
    await writeNotes(handle, `${mark} ${digest}\n`);
  };
  const replace = async (text: string): Promise<void> => {
    const beside = await open(`${file}.new`, 'w', 0o600);
    await writeNotes(beside, text);
    await beside.close();
    await rename(`${file}.new`, file);
    await handle.close();
    handle = await openForNotes(file);
  };

  return {
    recall(digest) {
      if (useUp(before.taken, digest)) return 'taken';
      return before.doubtful.has(digest) ? 'doubtful' : 'new';
    },
    async offered(digest) {
      add(unanswered, digest, 1);
      await note('?', digest);
    },
    async took(digest) {
      add(unanswered, digest, -1);
      useUp(before.doubtful, digest);
      await note('+', digest);
    },
    async declined(digest) {
      add(unanswered, digest, -1);
      await note('-', digest);
    },
    async settle(everything) {
      const taken = everything ? [] : linesOf('+', before.taken);
      const doubtful = everything ? [] : linesOf('?', before.doubtful);
      await replace([...taken, ...doubtful, ...linesOf('?', unanswered)].join(''));
    },
    close: () => handle.close(),
  };
}

/** A line that a power cut left half written is followed by an empty one. */
async function openForNotes(file: string): Promise<FileHandle> {
  const handle = await open(
    file,
    constants.O_CREAT | constants.O_WRONLY | constants.O_APPEND,
    0o600,
  );
  if ((await handle.stat()).size > 0) await handle.appendFile('\n');
  return handle;
}

async function writeNotes(handle: FileHandle, text: string): Promise<void> {
  await handle.appendFile(text);
  await handle.datasync();
}

function readNotes(text: string): Notes {
  const taken = new Map<string, number>();
  const doubtful = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, mark, digest = ''] = /^([?+-]) ([0-9a-f]{64})$/.exec(line) ?? [];
    if (mark === '?') add(doubtful, digest, 1);
    if (mark === '+' || mark === '-') add(doubtful, digest, -1);
    if (mark === '+') add(taken, digest, 1);
  }
  return { taken, doubtful };
}

function linesOf(mark: Mark, counts: ReadonlyMap<string, number>): string[] {
  // What was taken was offered first.
  const before = mark === '+' ? '?' : null;
  return [...counts].flatMap(([digest, count]) =>
    Array.from(
      { length: count },
      () => `${before === null ? '' : `${before} ${digest}\n`}${mark} ${digest}\n`,
    ),
  );
}

function add(counts: Map<string, number>, digest: string, by: number): void {
  const count = Math.max(0, (counts.get(digest) ?? 0) + by);
  if (count === 0) counts.delete(digest);
  else counts.set(digest, count);
}

function useUp(counts: Map<string, number>, digest: string): boolean {
  if (!counts.has(digest)) return false;
  add(counts, digest, -1);
  return true;
}
