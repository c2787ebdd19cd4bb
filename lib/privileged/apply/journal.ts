/**
 * The swap that can be put back: new files beside their places, old ones kept, a journal that names them, then renames.
 * A kill at any instant is put back by `recoverJournal` at the next request.
 */
import { constants } from 'node:fs';
import { copyFile, link, rename, statfs, utimes } from 'node:fs/promises';
import path from 'node:path';
import { HelperError } from '../../errors.js';
import {
  hasCode,
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
import { BACKDATE_S } from './stage.js';

/** Room to leave on the disk beyond what a change writes, in bytes. */
export const SPARE_BYTES = 4 * 1024 * 1024;

/** One file to replace, create (no old one) or remove (`content` null). */
export interface Replacement {
  readonly file: string;
  /** Its new text; a built file waiting beside its place (`built`); null removes. */
  readonly content: string | { readonly built: string } | null;
  /** Owner and mode of a file that is not there yet; an existing one keeps its own. */
  readonly status: FileStatus;
  /** Tables are kept as copies: a hard link would hide the rename from running daemons. */
  readonly table?: boolean;
  readonly backdated?: boolean;
  /** For the report: the text it replaces, and whether neither may be shown. */
  readonly before?: string | null;
  readonly secret?: boolean;
}

interface JournalEntry {
  readonly file: string;
  readonly existed: boolean;
}

interface Journal {
  readonly databaseId: string;
  readonly change: number;
  readonly entries: readonly JournalEntry[];
}

const ROOT_FILE: FileStatus = { uid: 0, gid: 0, mode: 0o600 };

function journalFile(paths: Paths): string {
  return `${paths.stateDir}/journal.json`;
}

function besides(file: string): { next: string; old: string } {
  const hidden = path.join(path.dirname(file), `.${path.basename(file)}.mailserver`);
  return { next: `${hidden}-new`, old: `${hidden}-old` };
}

/** Throws at stage `space` when the disks cannot hold the change twice over. */
export async function checkSpace(replacements: readonly Replacement[]): Promise<void> {
  const folders = new Set(replacements.map((one) => path.dirname(one.file)));
  const bytes = replacements.reduce(
    (sum, one) => sum + (typeof one.content === 'string' ? one.content.length * 2 : 0),
    SPARE_BYTES,
  );
  for (const folder of folders) {
    const disk = await statfs(folder);
    const free = disk.bavail * disk.bsize;
    if (free < bytes) {
      const values = { folder, free, needed: bytes };
      const key = 'helper.space.full';
      throw new HelperError({ stage: 'space', key, values, detail: '', restored: true });
    }
  }
}

/** Writes the new files beside their places. Nothing that runs sees them yet. */
async function writeBeside(replacements: readonly Replacement[]): Promise<void> {
  for (const { file, content, status, backdated } of replacements) {
    if (content === null) continue;
    const { next } = besides(file);
    if (typeof content === 'string') {
      await writeSynced(next, content, (await statusOf(file)) ?? status);
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

async function keepOld(replacements: readonly Replacement[]): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for (const { file, table } of replacements) {
    const { old } = besides(file);
    await removeIfThere(old);
    const existed = (await statusOf(file)) !== null;
    if (existed && table) {
      await copyFile(file, old, constants.COPYFILE_FICLONE);
      await syncFile(old);
    } else if (existed) {
      await link(file, old);
    }
    entries.push({ file, existed });
  }
  return entries;
}

/**
 * Replaces all files or none. On return they are in place and the journal is still open.
 * Throws with nothing changed: at stage `journal` before the first rename, at stage `swap` after putting back.
 */
export async function swap(
  paths: Paths,
  id: { readonly databaseId: string; readonly change: number },
  replacements: readonly Replacement[],
): Promise<void> {
  try {
    await writeBeside(replacements);
    const entries = await keepOld(replacements);
    for (const folder of foldersOf(entries)) await syncFolder(folder);
    const journal: Journal = { ...id, entries };
    await replaceFile(journalFile(paths), JSON.stringify(journal), ROOT_FILE);
  } catch (cause) {
    await sweep(replacements.map(({ file }) => ({ file, existed: true })));
    throw fault('journal', 'helper.journal.failed', cause);
  }
  try {
    for (const { file, content } of replacements) {
      if (content === null) await removeIfThere(file);
      else await rename(besides(file).next, file);
    }
    for (const folder of foldersOf(replacements)) await syncFolder(folder);
  } catch (cause) {
    await putBack(paths);
    throw fault('swap', 'helper.swap.failed', cause);
  }
}

/** Forgets the old files: the change stays. */
export async function closeJournal(paths: Paths): Promise<void> {
  const journal = await readJournal(paths);
  await removeIfThere(journalFile(paths));
  await syncFolder(paths.stateDir);
  if (journal) await sweep(journal.entries);
}

/** Puts every old file back. Idempotent: a second call after a crash in the first finishes the work. */
export async function putBack(paths: Paths): Promise<boolean> {
  const journal = await readJournal(paths);
  if (!journal) return false;
  for (const { file, existed } of journal.entries) {
    const { old } = besides(file);
    if (!existed) await removeIfThere(file);
    else if ((await statusOf(old)) !== null) await restore(old, file);
  }
  for (const folder of foldersOf(journal.entries)) await syncFolder(folder);
  await closeJournal(paths);
  return true;
}

/** A rename onto another link of the same file does nothing and leaves both (rename(2)); so the old name goes last. */
async function restore(old: string, file: string): Promise<void> {
  await rename(old, file);
  await removeIfThere(old);
}

/** An unfinished change of an earlier request, if there is one. */
export async function openJournal(paths: Paths): Promise<Journal | null> {
  return readJournal(paths);
}

async function readJournal(paths: Paths): Promise<Journal | null> {
  const text = await readText(journalFile(paths));
  return text === null ? null : (JSON.parse(text) as Journal);
}

/** Removes what lies beside; a file that cannot be removed now is removed before its name is used again. */
async function sweep(entries: readonly JournalEntry[]): Promise<void> {
  for (const { file } of entries) {
    const { next, old } = besides(file);
    for (const one of [next, old]) {
      await removeIfThere(one).catch((error: unknown) => {
        if (!hasCode(error, 'EROFS') && !hasCode(error, 'EPERM')) throw error;
      });
    }
  }
}

function foldersOf(entries: readonly { readonly file: string }[]): Set<string> {
  return new Set(entries.map(({ file }) => path.dirname(file)));
}

function fault(stage: 'journal' | 'swap', key: string, cause: unknown): HelperError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new HelperError({ stage, key, values: {}, detail, restored: true }, { cause });
}
