/** The queries: one row each. A row's id names its files and its state, and is never given twice. */
import type { Knex } from 'knex';
import type { Row, TouchedRow } from '../changes/change.js';
import { deleteRow, insertRows, updateRow, type RowKey } from '../changes/rows.js';
import { QUERY_FIELDS, type FetchQuery, type QueryValues } from './schema.js';

export const QUERIES_TABLE = 'mail_fetch_queries';

/** Each field with its column: `remoteUser` is `remote_user`. */
const COLUMNS = QUERY_FIELDS.map(
  (field) => [field, field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] as const,
);

/** A query with what the database knows of it. */
export interface StoredQuery extends FetchQuery {
  readonly version: number;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

/** All of them, in the order in which they came. */
export async function readQueries(db: Knex): Promise<StoredQuery[]> {
  const rows = await db(QUERIES_TABLE).orderBy('id').select<Row[]>();
  return rows.map(toQuery);
}

export async function countQueries(db: Knex): Promise<number> {
  const counted = await db(QUERIES_TABLE).count<{ count: string }[]>();
  return Number(counted[0]?.count ?? 0);
}

/** Those that log in at the same server with the same name. */
export async function queriesOfLogin(
  db: Knex,
  { server, remoteUser }: Pick<QueryValues, 'server' | 'remoteUser'>,
): Promise<StoredQuery[]> {
  const login = { server, remote_user: remoteUser };
  const rows = await db(QUERIES_TABLE).where(login).orderBy('id').select<Row[]>();
  return rows.map(toQuery);
}

export async function findQuery(db: Knex, id: string): Promise<StoredQuery | null> {
  if (!/^[1-9][0-9]{0,17}$/.test(id)) return null;
  const row = await db(QUERIES_TABLE).where('id', id).first<Row | undefined>();
  return row ? toQuery(row) : null;
}

export function insertQuery(
  trx: Knex.Transaction,
  values: QueryValues,
  actor: string,
): Promise<TouchedRow[]> {
  return insertRows(trx, QUERIES_TABLE, [toColumns(values)], { actor });
}

/** Those of a database that is lost, under the ids they had there. */
export async function restoreQueries(
  trx: Knex.Transaction,
  queries: readonly FetchQuery[],
  actor: string,
): Promise<TouchedRow[]> {
  const rows = queries.map(({ id, ...values }) => ({ id, ...toColumns(values) }));
  const touched = await insertRows(trx, QUERIES_TABLE, rows, { actor });
  await trx.raw(
    `select setval(pg_get_serial_sequence('${QUERIES_TABLE}', 'id'), max(id)) from ${QUERIES_TABLE}`,
  );
  return touched;
}

/** Throws `ConflictError` on another version, `NotFoundError` when it is gone. */
export function updateQuery(
  trx: Knex.Transaction,
  key: RowKey,
  values: Partial<QueryValues>,
  actor: string,
): Promise<TouchedRow[]> {
  return updateRow(trx, QUERIES_TABLE, key, toColumns(values), { actor, formValues });
}

/** Throws `ConflictError` on another version, `NotFoundError` when it is gone. */
export function removeQuery(trx: Knex.Transaction, key: RowKey): Promise<TouchedRow[]> {
  return deleteRow(trx, QUERIES_TABLE, key, { formValues });
}

/** A row's settings under their own names; a password that was taken back to none is '' as everywhere. */
export function valuesOf(row: Row): QueryValues {
  const values: Record<string, unknown> = {};
  for (const [field, column] of COLUMNS) values[field] = row[column];
  values['remotePassword'] ??= '';
  return values as unknown as QueryValues;
}

/** What somebody else saved, for the page that shows both; without the password. */
function formValues(row: Row): Readonly<Record<string, unknown>> {
  return { ...valuesOf(row), remotePassword: '' };
}

function toQuery(row: Row): StoredQuery {
  return {
    id: String(row['id']),
    ...valuesOf(row),
    version: Number(row['version']),
    updatedAt: row['updated_at'] as Date,
    updatedBy: String(row['updated_by']),
  };
}

function toColumns(values: Partial<QueryValues>): Record<string, unknown> {
  const given = COLUMNS.filter(([field]) => field in values);
  return Object.fromEntries(given.map(([field, column]) => [column, values[field]]));
}
