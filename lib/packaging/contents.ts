/** What a package says of its own files: their digests and their size. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** For `dpkg --verify` (deb-md5sums(5)); configuration files have digests of their own. */
export async function checksums(root: string): Promise<string> {
  const lines: string[] = [];
  for (const file of await filesBelow(root)) {
    const path = relative(root, file);
    if (path.startsWith('etc/')) continue;
    const digest = createHash('md5').update(await readFile(file));
    lines.push(`${digest.digest('hex')}  ${path}\n`);
  }
  return lines.join('');
}

/** In KiB, each file in whole ones, as deb-control(5) wants it. */
export async function sizeOf(root: string): Promise<number> {
  let size = 0;
  for (const file of await filesBelow(root)) size += Math.ceil((await stat(file)).size / 1024);
  return size;
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const found: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await filesBelow(path)));
    else found.push(path);
  }
  return found;
}
