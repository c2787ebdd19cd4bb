/** The embedded database: one locked, private folder in the state folder, opened by this process alone. */
import { execFile } from 'node:child_process';
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DatabaseStartError } from './errors.js';
import { lockFolder, type FolderLock } from './folder-lock.js';
import { startPGlite, type StartedPGlite } from './pglite.js';

/** The PostgreSQL version inside PGlite; another one's folder cannot be opened. */
const MAJOR_VERSION = '18';

/** The first initdb takes 2 to 5 s here; a slow appliance may need this much, in milliseconds. */
const INITIALISE_LIMIT_MS = 120_000;

const ADVICE =
  'None of its data was changed. Put the folder back from a backup of the machine, or move it aside, start again, and ' +
  'import the last export (node dist/lib/console/database-cli.js import FILE).';

export interface EmbeddedDatabase extends StartedPGlite {
  /** Ends the database and gives the folder free. */
  close(): Promise<void>;
}

/**
 * Opens the database in `folder`, made anew when there is nothing yet. Throws `DatabaseStartError` when another process
 * has it, when it is damaged or of another version; an existing folder is never made anew.
 */
export async function openEmbedded(folder: string): Promise<EmbeddedDatabase> {
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  const lock = await lockFolder(folder);
  if (!lock) {
    throw new DatabaseStartError(
      'locked',
      `The database ${folder} is in use by another process. Stop that process first.`,
    );
  }
  try {
    if (await isMissing(folder)) await create(folder);
    await examine(folder);
    // PGlite writes its files with mode 0666: the folder is what keeps others out.
    chmodSync(folder, 0o700);
    return await start(folder, lock);
  } catch (error) {
    await lock.release();
    throw (error as NodeJS.ErrnoException).code === 'EACCES' ? foreignOwner(folder, error) : error;
  }
}

async function start(folder: string, lock: FolderLock): Promise<EmbeddedDatabase> {
  const started = startPGlite(folder);
  try {
    await started.pglite.waitReady;
  } catch (error) {
    throw startFault(folder, started.lastWords(), error);
  }
  return {
    ...started,
    close: async () => {
      await started.pglite.close();
      await lock.release();
    },
  };
}

function startFault(folder: string, words: string, cause: unknown): DatabaseStartError {
  if (words.includes('No space left on device')) {
    const message = `The database ${folder} does not start because the disk is full. Free some space, then start again.`;
    return new DatabaseStartError('no-space', message, { cause });
  }
  if (words.includes('Permission denied')) return foreignOwner(folder, cause);
  const message = `The database ${folder} does not start. ${ADVICE}\nIt said:\n${words}`;
  return new DatabaseStartError('damaged', message, { cause });
}

/** As after a restore by root. The folder it lies in is this process' own. */
function foreignOwner(folder: string, cause: unknown): DatabaseStartError {
  const command = `chown -R --reference=${dirname(folder)} ${folder}`;
  const message = `The database ${folder} belongs to another user. None of its data was changed. As root give it back with: ${command}`;
  return new DatabaseStartError('foreign-owner', message, { cause });
}

/** True when nothing is there, or only an empty folder. */
async function isMissing(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}

/** Makes the database beside its place and renames it there whole, so that a kill leaves nothing half made. */
async function create(folder: string): Promise<void> {
  const unfinished = `${folder}.new`;
  await rm(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  await initialise(unfinished);
  await rename(unfinished, folder);
  const descriptor = openSync(dirname(folder), 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

/** Makes an empty database in an empty folder. A kill leaves it half made. */
export async function initialise(folder: string): Promise<void> {
  const program = fileURLToPath(new URL('./initialise.js', import.meta.url));
  await promisify(execFile)(process.execPath, [program, folder], {
    env: {},
    timeout: INITIALISE_LIMIT_MS,
    killSignal: 'SIGKILL',
  });
}

/** Refuses what PGlite would take for an empty folder, or would stumble over without a word. */
async function examine(folder: string): Promise<void> {
  let version: string;
  try {
    version = (await readFile(join(folder, 'PG_VERSION'), 'utf8')).trim();
    await stat(join(folder, 'global', 'pg_control'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new DatabaseStartError(
      'damaged',
      `The folder ${folder} holds files, but no complete database. ${ADVICE}`,
      { cause: error },
    );
  }
  if (version !== MAJOR_VERSION) {
    throw new DatabaseStartError(
      'foreign-version',
      `The database ${folder} was made by PostgreSQL ${version}; this program has ${MAJOR_VERSION}. Export it with the ` +
        'program that made it, move the folder aside, and import the export here. None of its data was changed.',
    );
  }
}
