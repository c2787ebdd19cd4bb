/**
 * The helper as a release has it, one file with V8's code for it: the many requests of tests each start it, and this one
 * starts in half the time.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { keep } from '../../lib/lab/kept.js';
import { bundleHelper } from '../../lib/launch/bundle-helper.js';

const HOME = fileURLToPath(new URL('../../..', import.meta.url));

let program: Promise<string> | undefined;

/** Its program file, made from this build when that was not done yet. */
export function releasedHelper(): Promise<string> {
  return (program ??= make());
}

async function make(): Promise<string> {
  const release = await keep(
    path.join(HOME, '.cache/test-helpers', await build()),
    async (into) => {
      await mkdir(path.join(into, 'dist'));
      const files = ['-a', '--', path.join(HOME, 'dist/lib'), path.join(into, 'dist')];
      await promisify(execFile)('/usr/bin/cp', files);
      await bundleHelper(HOME, into);
    },
  );
  return path.join(release, 'dist/lib/privileged/main.js');
}

/** Another one for each build: the compiler writes every file anew that it changes. */
async function build(): Promise<string> {
  const hash = createHash('sha256').update(process.version);
  const names = await readdir(path.join(HOME, 'dist/lib'), { recursive: true });
  for (const name of names.filter((file) => file.endsWith('.js')).sort()) {
    const { mtimeMs, size } = await stat(path.join(HOME, 'dist/lib', name));
    hash.update(`${name} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}
