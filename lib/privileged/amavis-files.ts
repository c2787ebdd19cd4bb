/** The files that make up amavis' configuration. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { AMAVIS_FILE, AMAVIS_FOLDER } from '../security/places.js';
import type { Paths } from './paths.js';

/** Where Debian's package has its own part. */
const AMAVIS_PACKAGE_FOLDER = '/usr/share/amavis/conf.d';

/** What amavis reads: in a private root one file that includes the others, on a machine two folders in order of the names. */
export async function amavisFiles({ root }: Paths): Promise<readonly string[]> {
  if (root !== '') return [`${root}/etc/amavis/amavisd.conf`];
  const all = await Promise.all(
    [AMAVIS_PACKAGE_FOLDER, AMAVIS_FOLDER].map(async (folder) =>
      (await readdir(folder).catch(() => []))
        .filter((name) => /^\d\d-[\w-]+$/.test(name) || name === path.basename(AMAVIS_FILE))
        .map((name) => path.join(folder, name)),
    ),
  );
  return all.flat().sort((a, b) => (path.basename(a) < path.basename(b) ? -1 : 1));
}
