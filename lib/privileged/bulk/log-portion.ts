/**
 * The mail log from a place on, line by line: the file and the one it was rotated from, or the machine's journal. What was
 * read is never lost without a word: a place that is not there any more is told as a gap.
 */
import { existsSync } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { hasCode } from '../files.js';
import { JOURNALCTL, mailLogFile } from '../mail-log.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';

/** How much is read in one go, in bytes. */
const MAX_READ_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
/** Lines of the journal in one go. */
const MAX_JOURNAL_LINES = 300_000;
const JOURNAL_TIMEOUT_MS = 60_000;

/** A line without its time and host: `postfix/qmgr`, the number of its process, and what it said. */
export type OnLine = (program: string, pid: string, text: string) => void;

export interface Portion {
  /** Where to go on; null when there is no log. */
  readonly cursor: string | null;
  readonly more: boolean;
  readonly gap: boolean;
  /** Lines go through Postfix' own postlogd(8), and are lost with it. */
  readonly ownLogger: boolean;
}

/** Reads what came after `cursor`; null only says where the log ends now. `named` is Postfix' `maillog_file`. */
export async function readLogPortion(
  paths: Paths,
  named: string,
  cursor: string | null,
  onLine: OnLine,
): Promise<Portion> {
  const file = await mailLogFile(paths, named);
  const ownLogger = named !== '';
  if (file !== null) return { ...(await readFiles(file, cursor, onLine)), ownLogger };
  if (paths.root !== '' || !existsSync(JOURNALCTL)) {
    return { cursor: null, more: false, gap: cursor !== null, ownLogger };
  }
  return { ...(await readJournal(cursor, onLine)), ownLogger };
}

type Read = Omit<Portion, 'ownLogger'>;

async function readFiles(file: string, cursor: string | null, onLine: OnLine): Promise<Read> {
  const handle = await open(file, 'r');
  try {
    const { ino, size } = await handle.stat();
    const at = (offset: number): string => `file.${ino}.${offset}`;
    if (cursor === null)
      return { cursor: at(await lineStart(handle, size)), more: false, gap: false };
    const [kind, inode, offset] = cursor.split('.');
    if (kind !== 'file') return { ...(await readFile(handle, 0, size, at, onLine)), gap: true };
    const from = Number(offset);
    if (Number(inode) === ino) {
      // One that was cut off and begins anew has lost what was not read yet.
      const cut = size < from;
      return { ...(await readFile(handle, cut ? 0 : from, size, at, onLine)), gap: cut };
    }
    const older = await findRotated(file, Number(inode));
    const gap = older === null || !older.last;
    if (older !== null) await readRest(older.path, from, onLine);
    return { ...(await readFile(handle, 0, size, at, onLine)), gap };
  } finally {
    await handle.close();
  }
}

async function readRest(file: string, from: number, onLine: OnLine): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await readFile(handle, from, (await handle.stat()).size, () => '', onLine);
  } finally {
    await handle.close();
  }
}

/** Whole lines between two places. */
async function readFile(
  handle: FileHandle,
  from: number,
  size: number,
  at: (offset: number) => string,
  onLine: OnLine,
): Promise<Omit<Read, 'gap'>> {
  const stop = Math.min(size, from + MAX_READ_BYTES);
  const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, Math.max(1, stop - from)));
  let rest = Buffer.alloc(0);
  let position = from;
  while (position < stop) {
    const { bytesRead } = await handle.read(
      chunk,
      0,
      Math.min(chunk.length, stop - position),
      position,
    );
    if (bytesRead === 0) break;
    position += bytesRead;
    const text = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    const end = text.lastIndexOf(10) + 1;
    for (const line of text.toString('utf8', 0, end).split('\n')) takeLine(line, onLine);
    rest = Buffer.from(text.subarray(end));
    // What has no end within a chunk is no line of Postfix.
    if (rest.length > CHUNK_BYTES) rest = Buffer.alloc(0);
  }
  return { cursor: at(position - rest.length), more: stop < size };
}

/** Traditional and RFC 3339 time stamps, a host, then `postfix/smtpd[123]: `. */
const LINE =
  /^(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8}|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)) \S+ ([\w./-]+)\[(\d+)\]: (.*)$/;

function takeLine(line: string, onLine: OnLine): void {
  const match = LINE.exec(line);
  if (match) onLine(match[1] ?? '', match[2] ?? '', match[3] ?? '');
}

/** The beginning of the last line that is not finished yet. */
async function lineStart(handle: FileHandle, size: number): Promise<number> {
  const tail = Buffer.alloc(Math.min(size, 8 * 1024));
  await handle.read(tail, 0, tail.length, size - tail.length);
  const newline = tail.lastIndexOf(10);
  return newline < 0 ? size : size - tail.length + newline + 1;
}

/** The file that had this inode, under the name it was given; `last` when none was rotated after it. */
async function findRotated(
  file: string,
  inode: number,
): Promise<{ readonly path: string; readonly last: boolean } | null> {
  const folder = path.dirname(file);
  const base = path.basename(file);
  const names = (await readdir(folder)).filter(
    (name) => name.startsWith(`${base}.`) || name.startsWith(`${base}-`),
  );
  const files = await Promise.all(
    names.map(async (name) => {
      const full = path.join(folder, name);
      const { ino, mtimeMs } = await stat(full).catch((error: unknown) => {
        if (hasCode(error, 'ENOENT')) return { ino: -1, mtimeMs: 0 };
        throw error;
      });
      return { full, ino, mtimeMs };
    }),
  );
  const found = files.find(({ ino }) => ino === inode);
  if (found === undefined) return null;
  return { path: found.full, last: files.every(({ mtimeMs }) => mtimeMs <= found.mtimeMs) };
}

interface JournalEntry {
  readonly __CURSOR?: string;
  readonly SYSLOG_IDENTIFIER?: unknown;
  readonly _PID?: unknown;
  readonly MESSAGE?: unknown;
}

async function readJournal(cursor: string | null, onLine: OnLine): Promise<Read> {
  const [kind, place = ''] = splitCursor(cursor);
  const from =
    cursor === null
      ? ['--lines=1']
      : kind === 'journal'
        ? [`--cursor=${place}`]
        : [`--since=@${kind === 'time' ? place : '0'}`];
  let newest: string | null = null;
  let lines = 0;
  let first = '';
  const take = (line: string): void => {
    if (line === '' || lines >= MAX_JOURNAL_LINES) return;
    const entry = entryOf(line);
    if (typeof entry?.__CURSOR !== 'string') return;
    if (first === '') first = entry.__CURSOR;
    newest = entry.__CURSOR;
    // The one that was the last before comes again.
    if (cursor === null || (kind === 'journal' && entry.__CURSOR === place)) return;
    lines += 1;
    onLine(textOf(entry.SYSLOG_IDENTIFIER), textOf(entry._PID), textOf(entry.MESSAGE));
  };
  let rest = '';
  const decoder = new TextDecoder();
  await runNative(
    JOURNALCTL,
    [
      ...['--quiet', '--no-pager', '--facility=mail', '--output=json'],
      '--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_PID',
      ...from,
    ],
    {
      timeoutMs: JOURNAL_TIMEOUT_MS,
      onStdout: (chunk) => {
        const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = parts.pop() ?? '';
        for (const part of parts) take(part);
      },
    },
  );
  take(rest);
  const end = newest === null ? null : `journal.${String(newest)}`;
  return {
    cursor: end ?? cursor ?? `time.${Math.floor(Date.now() / 1000)}`,
    more: lines >= MAX_JOURNAL_LINES,
    gap: cursor !== null && (kind === 'file' || (kind === 'journal' && first !== place)),
  };
}

function splitCursor(cursor: string | null): readonly [kind: string, place: string] {
  if (cursor === null) return ['', ''];
  const dot = cursor.indexOf('.');
  return [cursor.slice(0, dot), cursor.slice(dot + 1)];
}

function entryOf(line: string): JournalEntry | null {
  try {
    return JSON.parse(line) as JournalEntry;
  } catch {
    return null;
  }
}

/** What is no UTF-8 comes as a list of bytes. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return Array.isArray(value) ? Buffer.from(value as number[]).toString('utf8') : '';
}
