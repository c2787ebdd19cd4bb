/** Undoes the writes of a refused change, whatever tables they were in: old rows exactly as they were, versions included. */
import type { Knex } from 'knex';
import type { Row } from './change.js';
import { isTaken, ROWS_PER_STATEMENT } from './rows.js';

/** A touched row with its old image complete, boxes included. */
export interface WrittenRow {
  readonly table: string;
  readonly id: string;
  readonly before: Row | null;
  readonly after: Row | null;
}

type Kind = 'remove' | 'insert' | 'restore';

interface Batch {
  readonly kind: Kind;
  readonly table: string;
  readonly rows: Row[];
}

/** `written` in the order of writing; it is taken back in the opposite order, so that unique columns never collide. */
export async function putBack(
  trx: Knex.Transaction,
  written: readonly WrittenRow[],
): Promise<void> {
  for (const batch of batches(written.toReversed())) {
    if (batch.kind === 'remove') await remove(trx, batch);
    else if (batch.kind === 'insert') await insert(trx, batch);
    else await restore(trx, batch);
  }
}

/** Neighbours of the same kind and table go together. */
function batches(rows: readonly WrittenRow[]): Batch[] {
  const all: Batch[] = [];
  for (const { table, before, after } of rows) {
    const kind: Kind = before === null ? 'remove' : after === null ? 'insert' : 'restore';
    const image = before ?? after;
    if (image === null) continue;
    const last = all.at(-1);
    if (last?.kind === kind && last.table === table && last.rows.length < ROWS_PER_STATEMENT) {
      last.rows.push(image);
    } else {
      all.push({ kind, table, rows: [image] });
    }
  }
  return all;
}

async function remove(trx: Knex.Transaction, { table, rows }: Batch): Promise<void> {
  await trx.raw(
    'delete from ?? as t using jsonb_populate_recordset(null::??, ?::jsonb) as old where t.id = old.id',
    [table, table, JSON.stringify(rows)],
  );
}

async function insert(trx: Knex.Transaction, { table, rows }: Batch): Promise<void> {
  await trx.raw('insert into ?? select * from jsonb_populate_recordset(null::??, ?::jsonb)', [
    table,
    table,
    JSON.stringify(rows),
  ]);
}

/** All at once; where two rows had exchanged a unique value that cannot work, then one by one in their order. */
async function restore(trx: Knex.Transaction, { table, rows }: Batch): Promise<void> {
  try {
    await trx.transaction((savepoint) => overwrite(savepoint, table, rows));
  } catch (error) {
    if (rows.length === 1 || !isTaken(error)) throw error;
    for (const row of rows) await overwrite(trx, table, [row]);
  }
}

async function overwrite(
  trx: Knex.Transaction,
  table: string,
  rows: readonly Row[],
): Promise<void> {
  const columns = Object.keys(rows[0] ?? {}).filter((column) => column !== 'id');
  await trx.raw(
    `update ?? as t set ${columns.map(() => '?? = old.??').join(', ')} ` +
      'from jsonb_populate_recordset(null::??, ?::jsonb) as old where t.id = old.id',
    [table, ...columns.flatMap((column) => [column, column]), table, JSON.stringify(rows)],
  );
}
