/** Everything below a folder: kind, owner, mode, content. Two listings tell whether anything changed. */
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';

export type Listing = ReadonlyMap<string, string>;

/** By path below `folder`, without what `skip` names (a path or a folder above it). */
export async function listFolder(folder: string, skip: readonly string[] = []): Promise<Listing> {
  const found = new Map<string, string>();
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    if (skip.some((one) => name === one || name.startsWith(`${one}/`))) continue;
    const entry = await describe(path.join(folder, name));
    if (entry !== null) found.set(name, entry);
  }
  return found;
}

async function describe(file: string): Promise<string | null> {
  try {
    const found = await lstat(file);
    const status = `${found.mode.toString(8)} ${found.uid}:${found.gid}`;
    if (found.isSymbolicLink()) return `${status} -> ${await readlink(file)}`;
    if (!found.isFile()) return status;
    const digest = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    return `${status} ${found.ino} ${digest}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Paths that came, went or changed. */
export function changedPaths(before: Listing, after: Listing): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => before.get(name) !== after.get(name)).sort();
}
