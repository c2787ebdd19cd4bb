/** Reads what arrived: mbox files and Maildir folders. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The messages of an mbox file, oldest first, as they were stored (without the `From ` line); none without a file. */
export async function readMbox(file: string): Promise<string[]> {
  const text = await readOrNull(file);
  if (text === null || text === '') return [];
  return text
    .split(/^From .*\n/m)
    .slice(1)
    .map((message) => message.replace(/\n$/, '').replace(/^>From /gm, 'From '));
}

/** The messages of a Maildir, oldest first; none without a folder. */
export async function readMaildir(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const part of ['new', 'cur']) {
    const names = await readdir(join(folder, part)).catch(() => []);
    files.push(...names.map((name) => join(folder, part, name)));
  }
  const stamp = (file: string): string => file.slice(file.lastIndexOf('/') + 1);
  files.sort((a, b) => (stamp(a) < stamp(b) ? -1 : 1));
  return Promise.all(files.map((file) => readFile(file, 'latin1')));
}

async function readOrNull(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
