/**
 * The helper's own source text of a section's contents: lines of entries `[key, entry]` in JSON with commas between them,
 * one line for as many as came together. The last word on a key counts, `null` is gone. A change is appended, so its cost
 * does not grow with the text. How much of the file counts says the state, so that what a kill leaves behind the end means
 * nothing.
 */
import { constants, createReadStream } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { hasCode, removeIfThere, syncFolder } from '../files.js';
import type { Paths } from '../paths.js';
import { WriteBehind } from './write-behind.js';

export type Entries = Map<string, unknown>;
export type PieceEntries = readonly (readonly [key: string, entry: unknown])[];

export function sourceFolder(paths: Paths): string {
  return `${paths.stateDir}/contents`;
}

export function sourceFile(paths: Paths, section: string): string {
  return `${sourceFolder(paths)}/${section}.jsonl`;
}

const NEWLINE = 10;

/** Some entries as one line: the list they are, in JSON, with its end for a newline and without its beginning. */
export function sourceLine(entries: PieceEntries): Buffer {
  return lineOfList(Buffer.from(JSON.stringify(entries)));
}

/** The same of a list that is in JSON already, in its memory. */
export function lineOfList(list: Buffer): Buffer {
  list[list.length - 1] = NEWLINE;
  return list.subarray(1);
}

/** The entries of one such line, without its newline. Throws a `SyntaxError`. */
export function entriesOfLine(line: string): PieceEntries {
  return JSON.parse(`[${line}]`) as PieceEntries;
}

/** All entries in the first `bytes` bytes; null when the file is shorter, or not ours any more. */
export async function readSource(
  paths: Paths,
  section: string,
  bytes: number,
): Promise<Entries | null> {
  const entries: Entries = new Map();
  if (bytes === 0) return entries;
  const file = sourceFile(paths, section);
  try {
    if ((await stat(file)).size < bytes) return null;
    for await (const line of linesOf(createReadStream(file, { end: bytes - 1 }))) {
      for (const [key, entry] of entriesOfLine(line)) {
        if (entry === null) entries.delete(key);
        else entries.set(key, entry);
      }
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return null;
    throw error;
  }
  return entries;
}

/** Ended by a newline and by nothing else: JSON may have other ends of lines between its signs. */
async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<string, void> {
  let begun: Buffer[] = [];
  for await (const chunk of input) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      yield Buffer.concat([...begun, chunk.subarray(from, end)]).toString();
      [begun, from] = [[], end + 1];
    }
    begun.push(chunk.subarray(from));
  }
  const rest = Buffer.concat(begun);
  if (rest.length > 0) yield rest.toString();
}

/** Writes `text` behind the first `bytes` bytes; on disk when it resolves. Nothing counts it before the state does. */
export async function appendSource(
  paths: Paths,
  section: string,
  bytes: number,
  text: Buffer,
): Promise<void> {
  const handle = await open(sourceFile(paths, section), 'r+');
  try {
    await handle.truncate(bytes);
    await handle.write(text, 0, text.length, bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** So many bytes are written and go to disk at a time, while more come: at the end the disk is wanted for the table. */
const SYNCED_BYTES = 1024 * 1024;

/** A whole text, written beside its place while it is still being made. */
export interface NewSource {
  /** Where it belongs. */
  readonly place: string;
  /** Goes on in the background. */
  write(text: Buffer): void;
  /** Resolves once it is on disk, with the file to be swapped in and its length in bytes. */
  finish(): Promise<{ readonly file: string; readonly bytes: number }>;
  /** What was written is of no use. */
  abandon(): Promise<void>;
}

export async function startSource(paths: Paths, section: string): Promise<NewSource> {
  const folder = sourceFolder(paths);
  if (await mkdir(folder, { recursive: true, mode: 0o700 })) await syncFolder(paths.stateDir);
  const file = `${folder}/.${section}.jsonl.mailserver-new`;
  await removeIfThere(file);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(file, flags, 0o600);
  let bytes = 0;
  const behind = new WriteBehind(handle, SYNCED_BYTES, () => handle.datasync());
  return {
    place: sourceFile(paths, section),
    write: (text) => {
      bytes += text.length;
      behind.write(text);
    },
    finish: async () => {
      await behind.flush();
      await handle.sync();
      await handle.close();
      return { file, bytes };
    },
    abandon: async () => {
      await behind.flush().catch(() => undefined);
      await handle.close();
      await removeIfThere(file);
    },
  };
}
