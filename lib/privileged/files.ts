/** Files as the helper writes them: whole, synced, never through a link. */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { lstat, mkdir, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import path from 'node:path';

export interface FileStatus {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The status of files for us alone; we are root wherever it matters. */
export const OWN_FILE: FileStatus = {
  mode: 0o600,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
};

/** Reads a whole file as UTF-8 without following a link at its end; null when there is none. */
export async function readText(file: string): Promise<string | null> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
  try {
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/**
 * The same for small files in folders that only root can write, of which there may be hundreds: four visits to another thread
 * for each take longer than the reading.
 */
export function readOwnText(file: string): string | null {
  let handle: number;
  try {
    handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
  try {
    return readFileSync(handle, 'utf8');
  } finally {
    closeSync(handle);
  }
}

/** Writes a new file with its final owner and mode and syncs it. An old one of that name is removed first. */
export async function writeSynced(
  file: string,
  content: string | Buffer,
  status: FileStatus,
): Promise<void> {
  await removeIfThere(file);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const handle = await open(file, flags, 0o600);
  try {
    await handle.writeFile(content);
    await handle.chown(status.uid, status.gid);
    await handle.chmod(status.mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Puts `content` in the place of `file` in one step that survives a power cut. */
export async function replaceFile(
  file: string,
  content: string | Buffer,
  status: FileStatus,
): Promise<void> {
  const beside = path.join(path.dirname(file), `.${path.basename(file)}.mailserver-new`);
  try {
    await writeSynced(beside, content, status);
    await rename(beside, file);
  } catch (error) {
    await removeIfThere(beside).catch(() => undefined);
    throw error;
  }
  await syncFolder(path.dirname(file));
}

/** Syncs a folder, so that renames in it are on disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Syncs a file that another program wrote, after giving it owner and mode when told. */
export async function syncFile(file: string, status?: FileStatus): Promise<void> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    if (status) {
      await handle.chown(status.uid, status.gid);
      await handle.chmod(status.mode);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function removeIfThere(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** Owner and mode of a file, not following a link; null when there is none. */
export async function statusOf(file: string): Promise<FileStatus | null> {
  try {
    const found = await lstat(file);
    if (!found.isFile()) throw new Error(`not a regular file: ${file}`);
    return { mode: found.mode & 0o7777, uid: found.uid, gid: found.gid };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** Makes a folder only root can enter, if it is not there. Refuses one that somebody else can write. */
export async function ensurePrivateFolder(folder: string, mode = 0o700): Promise<void> {
  await mkdir(folder, { recursive: true, mode });
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0) {
    throw new Error(`unsafe folder: ${folder}`);
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
