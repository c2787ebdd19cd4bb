/** Writes a database as a file of JSON lines; see `format.ts`. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { Knex } from 'knex';
import { carriedTables, columnsOf, carriedSequences } from './catalogue.js';
import {
  FORMAT,
  FORMAT_VERSION,
  ROWS_AT_ONCE,
  type EndLine,
  type Header,
  type SequenceLine,
  type TableLine,
  type TransferSet,
} from './format.js';

/** Writes everything as it was at one moment; ends with the counts by table. The stream is not closed. */
export async function exportDatabase(
  db: Knex,
  output: Writable,
  sets: readonly TransferSet[],
): Promise<Readonly<Record<string, number>>> {
  const hash = createHash('sha256');
  let finished = false;
  const write = async (line: string): Promise<void> => {
    const bytes = Buffer.from(`${line}\n`);
    if (!finished) hash.update(bytes);
    if (!output.write(bytes)) await once(output, 'drain');
  };
  const counts: Record<string, number> = {};
  await db.transaction(
    async (trx) => {
      await write(JSON.stringify(await headerOf(trx, sets)));
      for (const table of await carriedTables(trx, sets)) {
        const columns = await columnsOf(trx, table);
        await write(JSON.stringify({ table, columns } satisfies TableLine));
        counts[table] = await writeRows(trx, table, write);
      }
      for (const sequence of await carriedSequences(trx, sets)) {
        await write(JSON.stringify(await stateOf(trx, sequence)));
      }
    },
    { isolationLevel: 'repeatable read', readOnly: true },
  );
  finished = true;
  const end: EndLine = { end: true, counts, digest: hash.digest('hex') };
  await write(JSON.stringify(end));
  return counts;
}

async function headerOf(trx: Knex.Transaction, sets: readonly TransferSet[]): Promise<Header> {
  const migrations: Record<string, string[]> = {};
  for (const { table } of sets) {
    migrations[table] = await trx(table).orderBy('id').pluck<string[]>('name');
  }
  return { format: FORMAT, version: FORMAT_VERSION, at: new Date().toISOString(), migrations };
}

/** PostgreSQL writes the JSON itself, so that every value survives to its last digit. */
async function writeRows(
  trx: Knex.Transaction,
  table: string,
  write: (line: string) => Promise<void>,
): Promise<number> {
  let count = 0;
  await trx.raw(
    'declare export_rows no scroll cursor for select to_jsonb(t.*)::text as row from ?? t',
    [table],
  );
  for (;;) {
    const batch: { rows: { row: string }[] } = await trx.raw(
      `fetch ${ROWS_AT_ONCE} from export_rows`,
    );
    for (const { row } of batch.rows) await write(`{"row":${row}}`);
    count += batch.rows.length;
    if (batch.rows.length < ROWS_AT_ONCE) break;
  }
  await trx.raw('close export_rows');
  return count;
}

async function stateOf(trx: Knex.Transaction, sequence: string): Promise<SequenceLine> {
  const state: { rows: { last: string; called: boolean }[] } = await trx.raw(
    'select last_value::text as last, is_called as called from ??',
    [sequence],
  );
  return { sequence, ...state.rows[0]! };
}
