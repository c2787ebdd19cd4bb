/** The exceptions: one row each. */
import type { Knex } from 'knex';
import type { Row, TouchedRow } from '../changes/change.js';
import { deleteRows, insertRows, updateRow, updateRows, type RowKey } from '../changes/rows.js';
import type { ExceptionSort } from './schema.js';
import { displayException, kindOfValue, type ExceptionKind } from './value.js';

export const EXCEPTIONS_TABLE = 'mail_exceptions';

/** What somebody says of an exception. */
export interface ExceptionValues {
  readonly value: string;
  readonly note: string;
  readonly enabled: boolean;
}

export interface StoredException extends ExceptionValues {
  readonly id: string;
  readonly kind: ExceptionKind;
  readonly version: number;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

interface ExceptionRecord {
  readonly id: string;
  readonly kind: ExceptionKind;
  readonly value: string;
  readonly note: string;
  readonly enabled: boolean;
  readonly version: number;
  readonly updated_at: Date;
  readonly updated_by: string;
}

export interface ExceptionQuery {
  /** Lower case; '' for all. */
  readonly search: string;
  readonly sort: ExceptionSort;
  readonly descending: boolean;
  /** Id of the row after which the page begins, or before which it ends; null for the first page. */
  readonly after: string | null;
  readonly before: string | null;
  readonly limit: number;
}

const COLUMNS: Readonly<Record<ExceptionSort, readonly string[]>> = {
  value: ['value', 'id'],
  kind: ['kind', 'value', 'id'],
  added: ['updated_at', 'id'],
};
const ID = /^[1-9][0-9]{0,17}$/;

/** One page by key, in the order of the list. */
export async function readExceptionPage(
  db: Knex,
  query: ExceptionQuery,
): Promise<StoredException[]> {
  const backwards = query.before !== null;
  const down = query.descending !== backwards;
  const columns = COLUMNS[query.sort];
  const rows = matching(db, query.search).limit(query.limit);
  for (const column of columns) void rows.orderBy(column, down ? 'desc' : 'asc');
  const from = query.before ?? query.after;
  if (from !== null && ID.test(from)) {
    const names = columns.join(', ');
    void rows.whereRaw(
      `(${names}) ${down ? '<' : '>'} (select ${names} from mail_exceptions where id = ?)`,
      [from],
    );
  }
  const found = (await rows.select<ExceptionRecord[]>()).map(toException);
  return backwards ? found.reverse() : found;
}

export async function readMatchingKeys(db: Knex, search: string, limit: number): Promise<RowKey[]> {
  return matching(db, search)
    .orderBy('value')
    .limit(limit)
    .select<{ id: string; version: number }[]>('id', 'version');
}

/** How many there are, and how many of them are switched off. */
export async function countExceptions(db: Knex): Promise<{ total: number; off: number }> {
  const answer: { rows: { total: number; off: number }[] } = await db.raw(
    `select count(*)::int as total, (count(*) filter (where not enabled))::int as off from mail_exceptions`,
  );
  return answer.rows[0] ?? { total: 0, off: 0 };
}

/** Networks that are switched on. */
export async function countNetworks(db: Knex): Promise<number> {
  const row = await db(EXCEPTIONS_TABLE)
    .where({ kind: 'network', enabled: true })
    .count<{ count: string | number }[]>('* as count')
    .first();
  return Number(row?.count ?? 0);
}

function matching(db: Knex, search: string): Knex.QueryBuilder {
  const rows = db(EXCEPTIONS_TABLE);
  const escaped = search.replace(/[\\%_]/g, (sign) => `\\${sign}`);
  return search === '' ? rows : rows.whereLike('search', `%${escaped}%`);
}

export async function findException(db: Knex, id: string): Promise<StoredException | null> {
  if (!ID.test(id)) return null;
  const row = await db(EXCEPTIONS_TABLE).where('id', id).first<ExceptionRecord | undefined>();
  return row ? toException(row) : null;
}

export async function findExceptions(db: Knex, ids: readonly string[]): Promise<StoredException[]> {
  const wanted = ids.filter((id) => ID.test(id));
  const rows = await db(EXCEPTIONS_TABLE)
    .whereIn('id', wanted)
    .orderBy('value')
    .select<ExceptionRecord[]>();
  return rows.map(toException);
}

export async function findByValue(db: Knex, value: string): Promise<StoredException | null> {
  const row = await db(EXCEPTIONS_TABLE).where('value', value).first<ExceptionRecord | undefined>();
  return row ? toException(row) : null;
}

/** Every exception there is, in the order of their bytes. */
export async function readAllExceptions(db: Knex): Promise<StoredException[]> {
  const rows = await db(EXCEPTIONS_TABLE).orderBy('value').select<ExceptionRecord[]>();
  return rows.map(toException);
}

export function insertExceptions(
  trx: Knex.Transaction,
  exceptions: readonly ExceptionValues[],
  actor: string,
): Promise<TouchedRow[]> {
  return insertRows(trx, EXCEPTIONS_TABLE, exceptions.map(toColumns), { actor });
}

/** Throws `ConflictError` on another version, `NotFoundError` when it is gone. */
export function updateException(
  trx: Knex.Transaction,
  key: RowKey,
  values: ExceptionValues,
  actor: string,
): Promise<TouchedRow[]> {
  return updateRow(trx, EXCEPTIONS_TABLE, key, toColumns(values), { actor, formValues });
}

/** All of them or none. Throws like `updateException`. */
export function switchExceptions(
  trx: Knex.Transaction,
  keys: readonly RowKey[],
  enabled: boolean,
  actor: string,
): Promise<TouchedRow[]> {
  return updateRows(trx, EXCEPTIONS_TABLE, keys, { enabled }, { actor, formValues });
}

/** All of them or none. Throws like `updateException`. */
export function removeExceptions(
  trx: Knex.Transaction,
  keys: readonly RowKey[],
): Promise<TouchedRow[]> {
  return deleteRows(trx, EXCEPTIONS_TABLE, keys, { formValues });
}

function formValues({ value, note, enabled }: Row): Readonly<Record<string, unknown>> {
  return { value, note, enabled };
}

function toColumns({ value, note, enabled }: ExceptionValues): Record<string, unknown> {
  const search = [...new Set([value, displayException(value), note])].join(' ').toLowerCase();
  return { kind: kindOfValue(value), value, note, enabled, search };
}

function toException(row: ExceptionRecord): StoredException {
  const { id, kind, value, note, enabled, version } = row;
  return {
    ...{ id, kind, value, note, enabled, version },
    updatedAt: row.updated_at,
    updatedBy: row.updated_by,
  };
}
