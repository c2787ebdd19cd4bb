/**
 * The Node that goes into the Debian package. Debian 12 has none that is new enough; with the same one on every release,
 * what was tested is what runs, and V8's code of the helper, made when the package is built, fits.
 */
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { PackagingError } from './arguments.js';

/** From npm's registry; digests of the archives (SHA-512). */
export const BUNDLED_NODE = '22.23.3';
const ARCHIVES: Readonly<Record<string, string>> = {
  x64: 'qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
  arm64: 'l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
};

const run = promisify(execFile);

/** Returns a folder with `bin/node` and `LICENSE`, kept below `cache` for the next time. */
export async function fetchNode(cache: string): Promise<string> {
  const digest = ARCHIVES[process.arch];
  if (digest === undefined) throw new PackagingError(`there is no Node for ${process.arch}`);
  const folder = join(cache, `node-${BUNDLED_NODE}-${process.arch}`);
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const staging = await mkdtemp(`${folder}.new-`);
  try {
    const name = `node-linux-${process.arch}@${BUNDLED_NODE}`;
    await run('npm', ['pack', '--silent', '--pack-destination', staging, name]);
    const archive = join(staging, `node-linux-${process.arch}-${BUNDLED_NODE}.tgz`);
    if ((await sha512(archive)) !== digest) {
      throw new PackagingError(`the archive of ${name} is not the one that is known here`);
    }
    await run('/usr/bin/tar', [
      ...['-xzf', archive, '-C', staging, '--no-same-owner'],
      ...['package/bin/node', 'package/LICENSE'],
    ]);
    // Another run may have been faster; then its folder is as good as ours.
    if (!existsSync(folder)) await rename(join(staging, 'package'), folder);
    return folder;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** The program of a folder that `fetchNode` returned. */
export function nodeOf(folder: string): string {
  return join(folder, 'bin/node');
}

/** The licence of Node and of what it holds. */
export function licenceOf(node: string): string {
  return join(dirname(dirname(node)), 'LICENSE');
}

async function sha512(file: string): Promise<string> {
  return createHash('sha512')
    .update(await readFile(file))
    .digest('base64');
}
