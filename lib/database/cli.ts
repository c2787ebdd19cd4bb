/**
 * The command line that moves a database: `export FILE` and `import FILE [--replace]`, for the database that the console's
 * environment names (`DATABASE_URL`, or `MAILSERVER_STATE` for the embedded one). A host starts it with its own tables; the
 * bundled console's program is `lib/console/database-cli.ts`. The console must be stopped while the embedded one is moved.
 */
import { constants, createReadStream } from 'node:fs';
import { access, open, rename, rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Log } from '../contract.js';
import { DatabaseStartError } from './errors.js';
import { runMigrations } from './migrate.js';
import { openDatabase, type Database } from './open.js';
import { exportDatabase } from './transfer/export.js';
import { ImportError, type TransferSet } from './transfer/format.js';
import { importDatabase } from './transfer/import.js';

const USAGE = 'usage: database-cli.js export FILE | database-cli.js import FILE [--replace]';

class UsageError extends Error {}

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
  if (action === 'import') await access(file, constants.R_OK);
  const database = await openDatabase({ stateDir: stateDir ?? '', url, log });
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

/** The file appears whole or not at all, for its owner's eyes only: it holds password hashes and sealed passwords. */
async function exportTo(file: string, { db }: Database, sets: readonly TransferSet[]) {
  for (const set of sets) await runMigrations(db, set);
  const unfinished = `${file}.unfinished`;
  await rm(unfinished, { force: true });
  const handle = await open(unfinished, 'wx', 0o600);
  try {
    const output = handle.createWriteStream({ flush: true });
    const written = new Promise<void>((resolve, reject) => {
      output.once('close', resolve).once('error', reject);
    });
    const counts = await exportDatabase(db, output, sets);
    output.end();
    await written;
    await rename(unfinished, file);
    return counts;
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
  const input = createReadStream(file) as AsyncIterable<Uint8Array>;
  return importDatabase(db, input, sets, { replace });
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Runs the command line of this process; what goes wrong is said on stderr, with exit code 1. */
export async function moveDatabase(sets: readonly TransferSet[]): Promise<void> {
  try {
    await run(sets);
  } catch (error) {
    say(`mailserver: ${wordsOf(error)}`);
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
