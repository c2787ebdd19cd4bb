/** Reads an exported file into a database: all of it or nothing. */
import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import { runMigrations } from '../migrate.js';
import {
  carriedSequences,
  carriedTables,
  columnsOf,
  countRows,
  sequencesOf,
  tablesOf,
} from './catalogue.js';
import {
  FORMAT,
  FORMAT_VERSION,
  ImportError,
  ROWS_AT_ONCE,
  type Header,
  type TransferSet,
} from './format.js';
import { readLines, type NumberedLine } from './lines.js';

export interface ImportOptions {
  /** Removes what is there; without it a database that holds tables of ours is refused. */
  readonly replace?: boolean;
}

/**
 * One transaction: tables are made as the file's program had them, filled, counted, then brought up to date. Throws
 * `ImportError` with the line for a file that is damaged, foreign or newer; the database is as before then.
 *
 * The database gets a new identity: what the mail system remembers of the exported one's changes says nothing about
 * changes made here.
 */
export async function importDatabase(
  db: Knex,
  input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  sets: readonly TransferSet[],
  { replace = false }: ImportOptions = {},
): Promise<Readonly<Record<string, number>>> {
  return db.transaction(async (trx) => {
    const lines = readLines(input);
    const first = await lines.next();
    if (first.done) throw new ImportError(1, 'the file is empty');
    const header = checkHeader(first.value, sets);
    await makeRoom(trx, sets, replace);
    for (const set of sets) {
      const known = header.migrations[set.table] ?? [];
      const migrations = set.migrations.filter(({ name }) => known.includes(name));
      await runMigrations(trx, { ...set, migrations });
    }
    await clearTables(trx, sets);
    const counts = await readTables(trx, lines, sets);
    for (const set of sets) await runMigrations(trx, set);
    await trx('mail_meta').whereIn('key', ['divergence', 'agreement']).delete();
    await trx('mail_meta')
      .where('key', 'database-id')
      .update({ value: JSON.stringify(randomUUID()) });
    return counts;
  });
}

function checkHeader({ value, number }: NumberedLine, sets: readonly TransferSet[]): Header {
  const { format, version, migrations } = value as Partial<Header>;
  if (format !== FORMAT) throw new ImportError(number, 'this is no export of this program');
  if (typeof version !== 'number' || typeof migrations !== 'object') {
    throw new ImportError(number, 'is damaged: no version or no migrations');
  }
  if (version > FORMAT_VERSION) throw newer(number);
  for (const [table, names] of Object.entries(migrations)) {
    const set = sets.find((each) => each.table === table);
    if (!set) throw new ImportError(number, `holds tables that nobody here knows: ${table}`);
    const known = set.migrations.map(({ name }) => name);
    if (!Array.isArray(names) || names.some((name) => !known.includes(name as string))) {
      throw newer(number);
    }
  }
  return value as unknown as Header;
}

function newer(line: number): ImportError {
  return new ImportError(line, 'was written by a newer program; import it with that one');
}

async function makeRoom(
  trx: Knex.Transaction,
  sets: readonly TransferSet[],
  replace: boolean,
): Promise<void> {
  const present = await tablesOf(trx, sets);
  if (present.length === 0) return;
  if (!replace) {
    throw new ImportError(
      1,
      'not imported: the database holds tables already. Say --replace to give up what is in it',
    );
  }
  for (const table of present) await trx.raw('drop table ?? cascade', [table]);
  for (const sequence of await sequencesOf(trx, sets)) {
    await trx.raw('drop sequence ?? cascade', [sequence]);
  }
}

/** Migrations put rows into their tables (an identity); the file brings its own. */
async function clearTables(trx: Knex.Transaction, sets: readonly TransferSet[]): Promise<void> {
  for (const table of (await carriedTables(trx, sets)).toReversed()) await trx(table).delete();
}

async function readTables(
  trx: Knex.Transaction,
  lines: AsyncGenerator<NumberedLine, void>,
  sets: readonly TransferSet[],
): Promise<Readonly<Record<string, number>>> {
  const expected = await carriedTables(trx, sets);
  const sequences = await carriedSequences(trx, sets);
  const counts: Record<string, number> = {};
  let table: { name: string; columns: readonly string[] } | null = null;
  let held: NumberedLine[] = [];
  let last = 1;
  const flush = async (): Promise<void> => {
    if (table) await insertRows(trx, table.name, held);
    held = [];
  };
  for await (const line of lines) {
    const { number, value } = line;
    last = number;
    if ('row' in value) {
      if (!table) throw new ImportError(number, 'is damaged: a row of no table');
      checkRow(line, table.columns);
      held.push(line);
      counts[table.name] = (counts[table.name] ?? 0) + 1;
      if (held.length === ROWS_AT_ONCE) await flush();
      continue;
    }
    await flush();
    if (value.end === true) {
      checkEnd(line, counts, expected);
      for (const name of expected) {
        if ((await countRows(trx, name)) !== counts[name]) {
          throw new ImportError(number, `not all rows of ${name} arrived`);
        }
      }
      const after = await lines.next();
      if (!after.done) throw new ImportError(number + 1, 'is damaged: something follows the end');
      return counts;
    }
    if (typeof value.table === 'string') {
      if (!expected.includes(value.table) || value.table in counts) {
        throw new ImportError(number, `is damaged: unexpected table ${value.table}`);
      }
      const columns = await columnsOf(trx, value.table);
      if (!sameNames(columns, value.columns)) {
        throw new ImportError(number, `${value.table} has other columns here`);
      }
      table = { name: value.table, columns };
      counts[value.table] = 0;
    } else if (typeof value.sequence === 'string' && sequences.includes(value.sequence)) {
      table = null;
      await setSequence(trx, line);
    } else {
      throw new ImportError(number, 'is damaged: neither table, row, sequence nor end');
    }
  }
  throw new ImportError(last, 'the file is cut off after this line');
}

function checkRow({ number, value }: NumberedLine, columns: readonly string[]): void {
  const { row } = value;
  if (typeof row !== 'object' || row === null || !sameNames(columns, Object.keys(row))) {
    throw new ImportError(number, 'is damaged: the row has other columns than its table');
  }
}

function checkEnd(
  { number, value, digestBefore }: NumberedLine,
  counts: Readonly<Record<string, number>>,
  expected: readonly string[],
): void {
  const missing = expected.find((table) => !(table in counts));
  if (missing) throw new ImportError(number, `is damaged: the table ${missing} is missing`);
  if (value.digest !== digestBefore()) {
    throw new ImportError(number, 'the file was changed or damaged: its digest does not fit');
  }
  const noted = (value.counts ?? {}) as Readonly<Record<string, unknown>>;
  if (expected.some((table) => noted[table] !== counts[table])) {
    throw new ImportError(number, 'is damaged: the counts do not fit');
  }
}

/** All at once; when that fails, one by one, to name the line. */
async function insertRows(
  trx: Knex.Transaction,
  table: string,
  lines: readonly NumberedLine[],
): Promise<void> {
  if (lines.length === 0) return;
  const insert = (db: Knex, rows: readonly NumberedLine[]) =>
    db.raw(
      `insert into ?? select row.* from jsonb_array_elements(?::jsonb) as line,
         jsonb_populate_record(null::??, line -> 'row') as row`,
      [table, `[${rows.map(({ text }) => text).join(',')}]`, table],
    );
  try {
    await trx.transaction((savepoint) => insert(savepoint, lines));
  } catch (cause) {
    for (const line of lines) {
      try {
        await trx.transaction((savepoint) => insert(savepoint, [line]));
      } catch (error) {
        const why = error instanceof Error ? error.message.split(' - ').at(-1) : '';
        throw new ImportError(line.number, `does not fit into ${table}: ${why}`, { cause: error });
      }
    }
    throw cause;
  }
}

async function setSequence(trx: Knex.Transaction, { number, value }: NumberedLine): Promise<void> {
  const { sequence, last, called } = value;
  if (typeof last !== 'string' || !/^[0-9]{1,18}$/.test(last) || typeof called !== 'boolean') {
    throw new ImportError(number, 'is damaged: no state of a sequence');
  }
  await trx.raw('select setval(?::regclass, ?, ?)', [`"${String(sequence)}"`, last, called]);
}

function sameNames(columns: readonly string[], names: unknown): boolean {
  return (
    Array.isArray(names) &&
    names.length === columns.length &&
    columns.every((column) => names.includes(column))
  );
}
