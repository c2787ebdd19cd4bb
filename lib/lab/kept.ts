/**
 * What all labs of a clone have in common, kept in its `.cache`: the release, which a lab links to instead of copying four
 * thousand files, and an empty database, which takes longer to make than to copy.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { initialise } from '../database/embedded.js';
import { copyRelease, type FillRelease } from '../launch/installation.js';
import type { Places } from '../launch/places.js';

const run = promisify(execFile);

/** How long something that no lab asked for is kept, in milliseconds. */
const KEPT_MS = 24 * 3_600_000;

/** Fills a lab's release with links to the files of one that is kept, or with copies where links cannot lead. */
export const linkedRelease: FillRelease = async (release, home, id) => {
  const kept = await keep(join(home, '.cache/lab-releases', id), (folder) =>
    copyRelease(folder, home),
  );
  const into = ['-T', '--', kept, release];
  await run('/usr/bin/cp', ['-al', ...into]).catch(() => run('/usr/bin/cp', ['-a', ...into]));
};

/** Gives a new lab an empty database. Does nothing for one that has a database, or uses a server. */
export async function provideDatabase(
  { consoleState }: Pick<Places, 'consoleState'>,
  home: string,
): Promise<void> {
  const folder = `${consoleState}/database`;
  if (process.env['DATABASE_URL'] || existsSync(folder)) return;
  const kept = await keep(join(home, '.cache/lab-databases', await madeBy(home)), initialise);
  const staging = `${folder}.new`;
  await rm(staging, { recursive: true, force: true });
  await run('/usr/bin/cp', ['-R', '--', kept, staging]);
  const { uid, gid } = await stat(consoleState);
  await run('/usr/bin/chown', ['-R', `${uid}:${gid}`, '--', staging]);
  await rename(staging, folder);
}

/** The version of the program that made a database: another one's folder may not fit. */
async function madeBy(home: string): Promise<string> {
  const file = join(home, 'node_modules/@electric-sql/pglite/package.json');
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}

/** The folder `path`, made by `fill` when it is not there yet. Two labs that start at once may both make it. */
export async function keep(path: string, fill: (folder: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path;
  await mkdir(dirname(path), { recursive: true });
  await removeOld(dirname(path));
  const staging = await mkdtemp(`${path}.new-`);
  await run('/usr/bin/chmod', ['755', staging]);
  await fill(staging);
  try {
    await rename(staging, path);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    if (!existsSync(path)) throw error;
  }
  return path;
}

/** What running labs have of it are links and copies, which stay. */
async function removeOld(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    // Another lab that starts gives it its name, or takes it away, at this moment.
    const mtimeMs = (await stat(path).catch(() => null))?.mtimeMs ?? Infinity;
    if (Date.now() - mtimeMs > KEPT_MS) await rm(path, { recursive: true, force: true });
  }
}
