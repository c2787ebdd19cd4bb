/**
 * The swap that can be put back: new files beside their places, old ones kept, a journal that names them, then renames.
 * A kill at any instant is put back by `recover.ts` at the next request.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import {
  chmod,
  copyFile,
  link,
  mkdir,
  readdir,
  rename,
  stat,
  statfs,
  utimes,
} from 'node:fs/promises';
import path from 'node:path';
import { HelperError } from '../../errors.js';
import {
  hasCode,
  OWN_FILE,
  readText,
  removeIfThere,
  replaceFile,
  statusOf,
  syncFile,
  syncFolder,
  writeSynced,
  type FileStatus,
} from '../files.js';
import type { Paths } from '../paths.js';
import type { DaemonBefore } from './daemons.js';
import { undoEdit, type InPlaceEdit } from './in-place.js';
import { BACKDATE_S } from './stage.js';

/** Room to leave on the disk beyond what a change writes, in bytes. */
export const SPARE_BYTES = 4 * 1024 * 1024;

/** One file to replace, create (no old one) or remove (`content` null). */
export interface Replacement {
  readonly file: string;
  /** Its new content; a built file waiting beside its place (`built`); null removes. */
  readonly content: string | Buffer | { readonly built: string } | null;
  /** Owner and mode; null for a file that is there and keeps its own. */
  readonly status: FileStatus | null;
  /** Tables are kept as copies: a hard link would hide the rename from running daemons. */
  readonly table?: boolean;
  /** Such a copy, on disk, where it is made already. */
  readonly copy?: string;
  readonly backdated?: boolean;
  /** For the report: the text it replaces, and whether neither may be shown. */
  readonly before?: string | null;
  readonly secret?: boolean;
}

/** What the daemons must be told when the old files are put back. */
export interface Follow {
  readonly wasRunning: boolean;
  readonly activation: 'none' | 'reload' | 'restart';
  /** The daemons beside Postfix that the change touches, as they were. */
  readonly beside?: readonly DaemonBefore[];
}

export interface Journal extends Follow {
  /** The name of this swap. The state names the last one that was finished: that decides, not a change's number. */
  readonly id: string;
  /** The boot of the machine it was written in. */
  readonly boot?: string;
  readonly entries: readonly { readonly file: string; readonly existed: boolean }[];
  /** Tables changed in place. */
  readonly edits?: readonly Pick<InPlaceEdit, 'file' | 'undo'>[];
}

function journalFile(paths: Paths): string {
  return `${paths.stateDir}/journal.json`;
}

/** The names `besides` and `replaceFile` give. */
const LEFT_OVER = /^\..+\.mailserver-(?:new|old)$/;

function besides(file: string): { next: string; old: string } {
  const hidden = path.join(path.dirname(file), `.${path.basename(file)}.mailserver`);
  return { next: `${hidden}-new`, old: `${hidden}-old` };
}

/** Throws at stage `space` when a disk cannot hold the change, what it keeps of the old, and the record of it. */
export async function checkSpace(
  paths: Paths,
  replacements: readonly Replacement[],
): Promise<void> {
  let bytes = SPARE_BYTES;
  for (const { file, content, table } of replacements) {
    if (isWritten(content)) bytes += Buffer.byteLength(content);
    if (table && (await statusOf(file))) bytes += (await stat(file)).size;
  }
  for (const folder of [paths.stateDir, ...foldersOf(replacements)]) {
    const disk = await diskOf(folder);
    const free = disk.bavail * disk.bsize;
    if (free < bytes) {
      const values = { folder, free, needed: bytes };
      const key = 'helper.space.full';
      throw new HelperError({ stage: 'space', key, values, detail: '', restored: true });
    }
  }
}

/** A folder that is still to be made will be on the disk of the one it is made in. */
async function diskOf(folder: string): Promise<{ bavail: number; bsize: number }> {
  try {
    return await statfs(folder);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return diskOf(path.dirname(folder));
  }
}

function isWritten(content: Replacement['content']): content is string | Buffer {
  return typeof content === 'string' || Buffer.isBuffer(content);
}

/** Writes the new files beside their places. Nothing that runs sees them yet. */
async function writeBeside(replacements: readonly Replacement[]): Promise<void> {
  for (const { file, content, status, backdated } of replacements) {
    if (content === null) continue;
    const { next } = besides(file);
    await makeFolder(path.dirname(file));
    if (isWritten(content)) {
      await writeSynced(next, content, status ?? (await statusOf(file)) ?? OWN_FILE);
    } else {
      await syncFile(content.built);
      await rename(content.built, next);
    }
    if (backdated) {
      const then = Date.now() / 1000 - BACKDATE_S;
      await utimes(next, then, then);
    }
  }
}

/** Folders of our own files are open to the daemons that read there, whatever our umask. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = path.dirname(made)) {
    await chmod(made, 0o755);
    await syncFolder(path.dirname(made));
  }
}

async function keepOld(replacements: readonly Replacement[]): Promise<Journal['entries']> {
  const entries: { file: string; existed: boolean }[] = [];
  for (const { file, table, copy } of replacements) {
    const { old } = besides(file);
    await removeIfThere(old);
    const status = await statusOf(file);
    if (status && table) {
      if (copy === undefined) await copyFile(file, old, constants.COPYFILE_FICLONE);
      else await rename(copy, old);
      await syncFile(old, status);
    } else if (status) {
      await link(file, old);
    }
    entries.push({ file, existed: status !== null });
  }
  return entries;
}

/**
 * Makes everything ready for the swap and opens its journal. From now on `putBack` leads back.
 * Throws at stage `journal` with nothing changed and nothing left lying about.
 */
export async function openJournal(
  paths: Paths,
  replacements: readonly Replacement[],
  follow: Follow,
  inPlace: readonly InPlaceEdit[] = [],
): Promise<Journal> {
  try {
    // Both take the disk, which does the work of two in the time of one.
    const [written, kept] = await Promise.allSettled([
      writeBeside(replacements),
      keepOld(replacements),
    ]);
    if (written.status === 'rejected') throw written.reason as Error;
    if (kept.status === 'rejected') throw kept.reason as Error;
    const entries = kept.value;
    await Promise.all(Array.from(foldersOf(entries), syncFolder));
    const edits = inPlace.map(({ file, undo }) => ({ file, undo }));
    const journal: Journal = { id: randomUUID(), boot: await bootId(), ...follow, entries, edits };
    await replaceFile(journalFile(paths), JSON.stringify(journal), OWN_FILE);
    return journal;
  } catch (cause) {
    await discard(paths, replacements).catch(() => undefined);
    throw fault('journal', 'helper.journal.failed', cause);
  }
}

/** The renames. Throws at stage `swap`; then some files may be new, and `putBack` is due. */
export async function swap(replacements: readonly Replacement[]): Promise<void> {
  try {
    for (const { file, content } of replacements) {
      if (content === null) await removeIfThere(file);
      else await rename(besides(file).next, file);
    }
    await Promise.all(Array.from(foldersOf(replacements), syncFolder));
  } catch (cause) {
    throw fault('swap', 'helper.swap.failed', cause);
  }
}

/** Puts everything back. Idempotent: a second call after a crash in the first finishes the work. */
export async function putBack(paths: Paths, journal: Journal): Promise<void> {
  for (const { file, existed } of journal.entries) {
    const { old } = besides(file);
    if (!existed) await removeIfThere(file);
    else if ((await statusOf(old)) !== null) await restore(old, file);
  }
  for (const folder of foldersOf(journal.entries)) await syncFolder(folder);
  for (const edit of journal.edits ?? []) await undoEdit(edit, paths);
}

/** A rename onto another link of the same file does nothing and leaves both (rename(2)); so the old name goes last. */
async function restore(old: string, file: string): Promise<void> {
  await rename(old, file);
  await removeIfThere(old);
}

/** A swap that an earlier request left open, if there is one. */
export async function readJournal(paths: Paths): Promise<Journal | null> {
  const text = await readText(journalFile(paths));
  return text === null ? null : (JSON.parse(text) as Journal);
}

/**
 * Forgets the old files, which may hold old secrets, and then the journal: a kill between is done again. Needs no sync:
 * a journal that a power cut brings back is closed again, a file it brings back is swept.
 */
export async function closeJournal(paths: Paths, journal: Journal): Promise<void> {
  await sweep(journal.entries);
  await removeIfThere(journalFile(paths));
}

/** Removes what a kill before or after the life of a journal left in these folders. Only without an open journal. */
export async function sweepFolders(folders: Iterable<string>): Promise<void> {
  await Promise.all([...new Set(folders)].map(sweepFolder));
}

async function sweepFolder(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    if (LEFT_OVER.test(name)) await removeIfThere(path.join(folder, name));
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** The journal goes first: without it nothing beside the files means anything. */
async function discard(paths: Paths, entries: readonly { readonly file: string }[]): Promise<void> {
  await removeIfThere(journalFile(paths));
  await sweep(entries);
}

async function sweep(entries: readonly { readonly file: string }[]): Promise<void> {
  for (const { file } of entries) {
    const { next, old } = besides(file);
    await removeIfThere(next);
    await removeIfThere(old);
  }
}

function foldersOf(entries: readonly { readonly file: string }[]): Set<string> {
  return new Set(entries.map(({ file }) => path.dirname(file)));
}

/** Of this run of the machine's kernel (random(4)). */
export async function bootId(): Promise<string> {
  return ((await readText('/proc/sys/kernel/random/boot_id')) ?? '').trim();
}

function fault(stage: 'journal' | 'swap', key: string, cause: unknown): HelperError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  const restored = stage === 'journal';
  return new HelperError({ stage, key, values: {}, detail, restored }, { cause });
}
