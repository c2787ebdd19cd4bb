/**
 * How stores write the rows of a change: with version check, a new version each time, and the images that history, undo
 * and putting back need. Values are given as JSON means them: `{ targets: ['a'] }` fits a text[] and a jsonb column alike.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Knex } from 'knex';
import { ConflictError, NotFoundError } from '../errors.js';
import type { Row, TouchedRow } from './change.js';

/** Rows that cross to the database in one statement. */
export const ROWS_PER_STATEMENT = 500;

/** Whether another row has a value that no two may have. */
export function isTaken(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === '23505';
}

/** Which row, and the version the person had before their eyes. */
export interface RowKey {
  readonly id: string;
  readonly version: number;
}

export interface WriteOptions {
  readonly actor: string;
  /** The row as form values, for the page that shows both versions; must leave secrets out. Default: the row's own columns. */
  readonly formValues?: (row: Row) => Readonly<Record<string, unknown>>;
}

/** Inserts rows; `id` is the database's when it is not given. Unique violations pass through as PostgreSQL's 23505. */
export async function insertRows(
  trx: Knex.Transaction,
  table: string,
  rows: readonly Readonly<Record<string, unknown>>[],
  { actor }: WriteOptions,
): Promise<TouchedRow[]> {
  const touched: TouchedRow[] = [];
  for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT) {
    const batch = rows
      .slice(start, start + ROWS_PER_STATEMENT)
      .map((row) => ({ ...row, updated_by: actor }));
    const columns = Object.keys(batch[0] ?? {});
    const answer: { rows: { after: Row }[] } = await trx.raw(
      `insert into ?? as t (${names(columns)}) select ${names(columns)} ` +
        `from jsonb_populate_recordset(null::??, ?::jsonb) returning to_jsonb(t.*) as after`,
      [table, ...columns, ...columns, table, JSON.stringify(batch)],
    );
    for (const { after } of answer.rows) {
      touched.push({ table, id: String(after.id), before: null, after });
    }
  }
  return touched;
}

/**
 * Changes the named columns of one row. Nothing is written, and nothing touched, when they have these values already.
 * Throws `ConflictError` when the row has another version, `NotFoundError` when it is gone.
 */
export async function updateRow(
  trx: Knex.Transaction,
  table: string,
  key: RowKey,
  values: Readonly<Record<string, unknown>>,
  options: WriteOptions,
): Promise<TouchedRow[]> {
  const found: { rows: { before: Row; wanted: Row }[] } = await trx.raw(
    `select to_jsonb(t.*) as before, to_jsonb(jsonb_populate_record(t.*, ?::jsonb)) as wanted ` +
      `from ?? as t where id = ? for update`,
    [JSON.stringify(values), table, key.id],
  );
  const row = found.rows[0];
  if (!row) throw new NotFoundError(`${table}/${key.id}`);
  if (row.before.version !== key.version) throw conflict(row.before, options);
  if (isDeepStrictEqual(row.before, row.wanted)) return [];
  const columns = Object.keys(values);
  const written: { rows: { after: Row }[] } = await trx.raw(
    `update ?? as t set ${columns.map(() => '?? = new.??').join(', ')}, ` +
      `version = nextval('mail_versions'), updated_at = now(), updated_by = ? ` +
      `from jsonb_populate_record(null::??, ?::jsonb) as new where t.id = ? returning to_jsonb(t.*) as after`,
    [
      table,
      ...columns.flatMap((column) => [column, column]),
      options.actor,
      table,
      JSON.stringify(values),
      key.id,
    ],
  );
  return [{ table, id: key.id, before: row.before, after: written.rows[0]!.after }];
}

/** Removes one row. Throws `ConflictError` when it has another version, `NotFoundError` when it is gone already. */
export async function deleteRow(
  trx: Knex.Transaction,
  table: string,
  key: RowKey,
  options: Pick<WriteOptions, 'formValues'> = {},
): Promise<TouchedRow[]> {
  const before = await lockRow(trx, table, key.id);
  if (!before) throw new NotFoundError(`${table}/${key.id}`);
  if (before.version !== key.version) throw conflict(before, options);
  await trx(table).where('id', key.id).delete();
  return [{ table, id: key.id, before, after: null }];
}

/**
 * The same values for many rows, in a few statements; rows that have them already are not touched. Throws like
 * `updateRow`, for the first row that cannot be written; then none is.
 */
export async function updateRows(
  trx: Knex.Transaction,
  table: string,
  keys: readonly RowKey[],
  values: Readonly<Record<string, unknown>>,
  options: WriteOptions,
): Promise<TouchedRow[]> {
  const columns = Object.keys(values);
  const touched: TouchedRow[] = [];
  for (const batch of batchesOf(keys)) {
    const before = await lockRows(trx, table, batch, options);
    const other = [...before].filter(([, row]) =>
      columns.some((column) => !isDeepStrictEqual(row[column], values[column])),
    );
    if (other.length === 0) continue;
    const written: { rows: { after: Row }[] } = await trx.raw(
      `update ?? as t set ${columns.map(() => '?? = new.??').join(', ')}, ` +
        `version = nextval('mail_versions'), updated_at = now(), updated_by = ? ` +
        `from jsonb_populate_record(null::??, ?::jsonb) as new where t.id = any(?::bigint[]) ` +
        `returning to_jsonb(t.*) as after`,
      [
        table,
        ...columns.flatMap((column) => [column, column]),
        options.actor,
        table,
        JSON.stringify(values),
        other.map(([id]) => id),
      ],
    );
    for (const { after } of written.rows) {
      const id = String(after.id);
      touched.push({ table, id, before: before.get(id) ?? null, after });
    }
  }
  return touched;
}

/** Values of its own for each of many rows, the same columns for all, in a few statements. Throws like `updateRows`. */
export async function updateEach(
  trx: Knex.Transaction,
  table: string,
  changes: readonly {
    readonly key: RowKey;
    readonly values: Readonly<Record<string, unknown>>;
  }[],
  options: WriteOptions,
): Promise<TouchedRow[]> {
  const touched: TouchedRow[] = [];
  const wanted = new Map(changes.map(({ key, values }) => [key.id, values]));
  const columns = Object.keys(changes[0]?.values ?? {});
  for (const batch of batchesOf(changes.map(({ key }) => key))) {
    const before = await lockRows(trx, table, batch, options);
    const rows = [...before.keys()].map((id) => ({ ...wanted.get(id), id }));
    const written: { rows: { after: Row }[] } = await trx.raw(
      `update ?? as t set ${columns.map(() => '?? = new.??').join(', ')}, ` +
        `version = nextval('mail_versions'), updated_at = now(), updated_by = ? ` +
        `from jsonb_populate_recordset(null::??, ?::jsonb) as new where t.id = new.id ` +
        `returning to_jsonb(t.*) as after`,
      [
        table,
        ...columns.flatMap((column) => [column, column]),
        options.actor,
        table,
        JSON.stringify(rows),
      ],
    );
    for (const { after } of written.rows) {
      const id = String(after.id);
      touched.push({ table, id, before: before.get(id) ?? null, after });
    }
  }
  return touched;
}

/** Removes many rows in a few statements. Throws like `deleteRow`, for the first that cannot be removed; then none is. */
export async function deleteRows(
  trx: Knex.Transaction,
  table: string,
  keys: readonly RowKey[],
  options: Pick<WriteOptions, 'formValues'> = {},
): Promise<TouchedRow[]> {
  const touched: TouchedRow[] = [];
  for (const batch of batchesOf(keys)) {
    const before = await lockRows(trx, table, batch, options);
    await trx(table)
      .whereRaw('id = any(?::bigint[])', [[...before.keys()]])
      .delete();
    for (const [id, row] of before) touched.push({ table, id, before: row, after: null });
  }
  return touched;
}

function batchesOf(keys: readonly RowKey[]): readonly (readonly RowKey[])[] {
  const once = [...new Map(keys.map((key) => [key.id, key])).values()];
  const batches: RowKey[][] = [];
  for (let start = 0; start < once.length; start += ROWS_PER_STATEMENT) {
    batches.push(once.slice(start, start + ROWS_PER_STATEMENT));
  }
  return batches;
}

/** The rows as they are now, held until the transaction ends, in the order of the keys. For tables with numbers as ids. */
async function lockRows(
  trx: Knex.Transaction,
  table: string,
  keys: readonly RowKey[],
  options: Pick<WriteOptions, 'formValues'>,
): Promise<Map<string, Row>> {
  const found: { rows: { row: Row }[] } = await trx.raw(
    'select to_jsonb(t.*) as row from ?? as t where id = any(?::bigint[]) order by id for update',
    [table, keys.map(({ id }) => id)],
  );
  const present = new Map(found.rows.map(({ row }) => [String(row.id), row]));
  return new Map(
    keys.map(({ id, version }) => {
      const row = present.get(id);
      if (!row) throw new NotFoundError(`${table}/${id}`);
      if (row.version !== version) throw conflict(row, options);
      return [id, row];
    }),
  );
}

/** The row as it is now, held until the transaction ends; null when there is none. */
export async function lockRow(
  trx: Knex.Transaction,
  table: string,
  id: string,
): Promise<Row | null> {
  const found: { rows: { row: Row }[] } = await trx.raw(
    'select to_jsonb(t.*) as row from ?? as t where id = ? for update',
    [table, id],
  );
  return found.rows[0]?.row ?? null;
}

/** The error that says who was faster, and what is there now. */
export function conflict(
  row: Row,
  { formValues = ownColumns }: Pick<WriteOptions, 'formValues'>,
): ConflictError {
  return new ConflictError(
    formValues(row),
    { login: String(row.updated_by), at: new Date(String(row.updated_at)) },
    Number(row.version),
  );
}

const ENGINE_COLUMNS: ReadonlySet<string> = new Set(['id', 'version', 'updated_at', 'updated_by']);

/** A row without identity, version and who wrote it when. */
export function ownColumns(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([column]) => !ENGINE_COLUMNS.has(column)));
}

function names(columns: readonly string[]): string {
  return columns.map(() => '??').join(', ');
}
