/**
 * The command line that moves a database: `export FILE` and `import FILE [--replace]`, for the database that the console's
 * environment names (`DATABASE_URL`, or `MAILSERVER_STATE` for the embedded one). A host starts it with its own tables; the
 * bundled console's program is `lib/console/database-cli.ts`. The console must be stopped while the embedded one is moved.
 * `-` is stdout or stdin. Root may start it for the console's folder too, see `as-owner.ts`.
 */
import { constants, createReadStream } from 'node:fs';
import { access, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { resolve as absolute } from 'node:path';
import { parseArgs } from 'node:util';
import type { Log } from '../contract.js';
import { ownerToBecome, runAsOwner, type Owner } from './as-owner.js';
import { DatabaseStartError } from './errors.js';
import { runMigrations } from './migrate.js';
import { openDatabase, type Database } from './open.js';
import { exportDatabase } from './transfer/export.js';
import { ImportError, type TransferSet } from './transfer/format.js';
import { importDatabase } from './transfer/import.js';

const USAGE = 'usage: database-cli.js export FILE | database-cli.js import FILE [--replace]';
/** In place of a file: stdout or stdin. */
const STANDARD = '-';

class UsageError extends Error {}
/** What went wrong stands on stderr already. */
class Said extends Error {}

const log: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (_details, message) => say(message),
  error: (_details, message) => say(message),
};

async function run(sets: readonly TransferSet[]): Promise<void> {
  const { values, positionals } = readArguments();
  const [action, file] = positionals;
  if ((action !== 'export' && action !== 'import') || !file || positionals.length > 2) {
    throw new UsageError(USAGE);
  }
  const { MAILSERVER_STATE: stateDir, DATABASE_URL: url } = process.env;
  if (!url && !stateDir) throw new UsageError('set DATABASE_URL or MAILSERVER_STATE');
  // Before a database is made for a file that is not there.
  if (action === 'import' && file !== STANDARD) await access(file, constants.R_OK);
  const state = absolute(stateDir ?? '');
  const owner = url ? null : await ownerToBecome(state);
  if (owner) return moveAs(owner, state, action, file, values.replace);
  const database = await openDatabase({ stateDir: state, url, log });
  try {
    const counts =
      action === 'export'
        ? await exportTo(file, database, sets)
        : await importFrom(file, database, sets, values.replace);
    for (const [table, count] of Object.entries(counts)) say(`${table}: ${count}`);
  } finally {
    await database.close();
  }
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { replace: { type: 'boolean', default: false } },
    });
  } catch (cause) {
    throw new UsageError(USAGE, { cause });
  }
}

/** Root opens the file, the owner of the database reads or writes it. */
async function moveAs(
  owner: Owner,
  state: string,
  action: 'export' | 'import',
  file: string,
  replace: boolean,
): Promise<void> {
  if (action === 'export') {
    const write = async (output: number): Promise<void> => {
      if (!(await runAsOwner(owner, [action, STANDARD], state, { output }))) throw new Said();
    };
    if (file === STANDARD) return write(process.stdout.fd);
    return writeWhole(file, async (handle) => {
      await write(handle.fd);
      await handle.sync();
      await handle.close();
    });
  }
  const handle = file === STANDARD ? null : await open(file, 'r');
  try {
    const args = [action, STANDARD, ...(replace ? ['--replace'] : [])];
    const input = handle?.fd ?? process.stdin.fd;
    if (!(await runAsOwner(owner, args, state, { input }))) throw new Said();
  } finally {
    await handle?.close();
  }
}

async function exportTo(file: string, { db }: Database, sets: readonly TransferSet[]) {
  for (const set of sets) await runMigrations(db, set);
  if (file === STANDARD) return exportDatabase(db, process.stdout, sets);
  return writeWhole(file, async (handle) => {
    const output = handle.createWriteStream({ flush: true });
    const written = new Promise<void>((resolve, reject) => {
      output.once('close', resolve).once('error', reject);
    });
    const counts = await exportDatabase(db, output, sets);
    output.end();
    await written;
    return counts;
  });
}

/**
 * The file appears whole or not at all, for its owner's eyes only: it holds password hashes and sealed passwords.
 * `write` closes it, with all of it on the disk.
 */
async function writeWhole<Result>(
  file: string,
  write: (handle: FileHandle) => Promise<Result>,
): Promise<Result> {
  const unfinished = `${file}.unfinished`;
  await rm(unfinished, { force: true });
  const handle = await open(unfinished, 'wx', 0o600);
  try {
    const result = await write(handle);
    await rename(unfinished, file);
    return result;
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

function importFrom(
  file: string,
  { db }: Database,
  sets: readonly TransferSet[],
  replace: boolean,
) {
  const input = file === STANDARD ? process.stdin : createReadStream(file);
  return importDatabase(db, input as AsyncIterable<Uint8Array>, sets, { replace });
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Runs the command line of this process; what goes wrong is said on stderr, with exit code 1. */
export async function moveDatabase(sets: readonly TransferSet[]): Promise<void> {
  try {
    await run(sets);
  } catch (error) {
    if (!(error instanceof Said)) say(`mailserver: ${wordsOf(error)}`);
    process.exitCode = 1;
  }
}

/** What a person can put right in one sentence; our own faults with their stack. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const expected =
    error instanceof UsageError ||
    error instanceof ImportError ||
    error instanceof DatabaseStartError ||
    ('code' in error && 'syscall' in error);
  return expected ? error.message : (error.stack ?? error.message);
}
