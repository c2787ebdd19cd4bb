/** The queries on `mail_changes` and `mail_change_rows`. */
import type { Knex } from 'knex';
import type { HelperFailure, MessageValues } from '../errors.js';
import type { ApplyResult, EditDecisions } from '../privileged/protocol.js';
import type {
  ApplyingChange,
  Change,
  ChangeState,
  ChangeSummary,
  HistoryFilter,
  IntentHead,
  Row,
  TouchedRow,
} from './change.js';
import { storableJson } from './json.js';
import { ROWS_PER_STATEMENT } from './rows.js';
import { UNDO_SINCE, type Undo } from './taken-back.js';

/** Rows of a change that are read at once. */
const ROWS_PER_PAGE = 1_000;

interface ChangeRecord {
  readonly number: string;
  readonly actor: string;
  readonly at: Date;
  readonly settled_at: Date | null;
  readonly state: ChangeState;
  readonly sections: readonly string[];
  readonly title_key: string;
  readonly title_values: MessageValues;
  readonly row_count: number;
  readonly undoes: string | null;
  /** `EditDecisions` as a whole. */
  readonly overwrite: EditDecisions | null;
  readonly result: ApplyResult | null;
  readonly failure: HelperFailure | null;
}

interface RowRecord {
  readonly table_name: string;
  readonly row_id: string;
  readonly before: Row | null;
  readonly after: Row | null;
  readonly sealed_before: Readonly<Record<string, unknown>> | null;
}

/** A touched row as it is stored: images masked, the old row's boxes apart until the change is settled. */
export interface StoredRow extends TouchedRow {
  readonly sealedBefore: Readonly<Record<string, unknown>> | null;
}

/** Only what was decided: an absent decision is not sent. */
export function decisionsOf({ overwrite, take, leave }: EditDecisions): EditDecisions {
  return {
    ...(overwrite ? { overwrite } : {}),
    ...(take ? { take } : {}),
    ...(leave ? { leave } : {}),
  };
}

/** Identity of the database that numbers the changes. */
export async function readDatabaseId(db: Knex): Promise<string> {
  const row = await db('mail_meta').where('key', 'database-id').first<{ value: string }>('value');
  if (!row) throw new Error('mail_meta has no database-id: migrations have not run');
  return row.value;
}

/** Lets one transaction after the other begin or settle a change, in every process on this database. */
export async function lockChangeOrder(trx: Knex.Transaction): Promise<void> {
  await trx('mail_meta').where('key', 'change-order').forUpdate().first('key');
}

export async function insertChange(
  trx: Knex.Transaction,
  intent: IntentHead,
  rowCount: number,
): Promise<number> {
  const [inserted]: { number: string }[] = await trx('mail_changes').insert(
    {
      actor: intent.actor,
      state: 'applying',
      sections: [...intent.sections],
      title_key: intent.title.key,
      title_values: storableJson(intent.title.values),
      row_count: rowCount,
      undoes: intent.undoes ?? null,
      overwrite: JSON.stringify(decisionsOf(intent)),
    },
    ['number'],
  );
  return Number(inserted!.number);
}

/** Records rows of a change; `first` is the place of the first one. */
export async function insertChangeRows(
  trx: Knex.Transaction,
  number: number,
  rows: readonly StoredRow[],
  first = 0,
): Promise<void> {
  const records = rows.map((row, index) => ({
    change: number,
    position: first + index,
    table_name: row.table,
    row_id: row.id,
    before: row.before,
    after: row.after,
    sealed_before: row.sealedBefore,
  }));
  for (let start = 0; start < records.length; start += ROWS_PER_STATEMENT) {
    await trx.raw(
      'insert into mail_change_rows select * from jsonb_populate_recordset(null::mail_change_rows, ?::jsonb)',
      [JSON.stringify(records.slice(start, start + ROWS_PER_STATEMENT))],
    );
  }
}

export async function countChangeRows(
  trx: Knex.Transaction,
  number: number,
  rowCount: number,
): Promise<void> {
  await trx('mail_changes').where({ number }).update({ row_count: rowCount });
}

/** The change in flight; null when there is none. */
export async function findApplying(db: Knex): Promise<ApplyingChange | null> {
  const record = await db('mail_changes').where('state', 'applying').first<ChangeRecord>();
  return record ? { ...summary(record), decided: record.overwrite ?? {} } : null;
}

/** All of them, or the first `most`. */
export async function readStoredRows(
  db: Knex,
  number: number,
  most?: number,
): Promise<StoredRow[]> {
  const query = db('mail_change_rows').where('change', number).orderBy('position');
  if (most !== undefined) void query.limit(most);
  return (await query.select<RowRecord[]>()).map(toStoredRow);
}

/** The same page by page, however many there are. */
export async function* readStoredPages(
  db: Knex,
  number: number,
): AsyncIterable<readonly StoredRow[]> {
  const count = await countStoredRows(db, number);
  for (let first = 0; first < count; first += ROWS_PER_PAGE) {
    yield await readStoredPage(db, number, first);
  }
}

/** The last pages first; the rows of each page in the order in which they were written. */
export async function* readStoredPagesBackwards(
  db: Knex,
  number: number,
): AsyncIterable<readonly StoredRow[]> {
  const count = await countStoredRows(db, number);
  const pages = Math.ceil(count / ROWS_PER_PAGE);
  for (let page = pages - 1; page >= 0; page -= 1) {
    yield await readStoredPage(db, number, page * ROWS_PER_PAGE);
  }
}

async function countStoredRows(db: Knex, number: number): Promise<number> {
  return (await findSummary(db, number))?.rowCount ?? 0;
}

/**
 * From place to place: asked for the next ones after a place, the planner, which knows nothing of rows just written, would
 * put all that are left in order for each page.
 */
async function readStoredPage(db: Knex, number: number, first: number): Promise<StoredRow[]> {
  const records = await db('mail_change_rows')
    .where('change', number)
    .whereBetween('position', [first, first + ROWS_PER_PAGE - 1])
    .orderBy('position')
    .select<RowRecord[]>();
  return records.map(toStoredRow);
}

function toStoredRow(record: RowRecord): StoredRow {
  return {
    table: record.table_name,
    id: record.row_id,
    before: record.before,
    after: record.after,
    sealedBefore: record.sealed_before,
  };
}

/** Ends the change; its boxes are still there. False when it was settled already. */
export async function settleChange(
  trx: Knex.Transaction,
  number: number,
  outcome:
    | { readonly state: 'applied'; readonly result: ApplyResult | null }
    | { readonly state: 'refused'; readonly failure: HelperFailure },
): Promise<boolean> {
  const settled = await trx('mail_changes')
    .where({ number, state: 'applying' })
    .update({
      state: outcome.state,
      settled_at: trx.fn.now(),
      result: outcome.state === 'applied' && outcome.result ? storableJson(outcome.result) : null,
      failure: outcome.state === 'refused' ? storableJson(outcome.failure) : null,
    });
  return settled === 1;
}

/** Erases the boxes of a settled change. */
export async function eraseBoxes(trx: Knex.Transaction, number: number): Promise<void> {
  await trx('mail_change_rows')
    .where('change', number)
    .whereNotNull('sealed_before')
    .update({ sealed_before: null });
}

export async function findSummary(db: Knex, number: number): Promise<ChangeSummary | null> {
  const record = await db('mail_changes').where({ number }).first<ChangeRecord>();
  return record ? summary(record) : null;
}

/** Whether it made rows of this table that were not there before. */
export async function hasMadeRows(db: Knex, number: number, table: string): Promise<boolean> {
  const made = await db('mail_change_rows')
    .where({ change: number, table_name: table })
    .whereNull('before')
    .limit(1)
    .select<{ position: number }[]>('position');
  return made.length > 0;
}

/** With `known` rows, which are not read then, or with the first of them (`most`). */
export async function findChange(
  db: Knex,
  number: number,
  { known, most }: { readonly known?: readonly TouchedRow[]; readonly most?: number } = {},
): Promise<(Change & ChangeSummary) | null> {
  const record = await db('mail_changes').where({ number }).first<ChangeRecord>();
  if (!record) return null;
  const rows = known ?? (await readStoredRows(db, number, most));
  return {
    ...summary(record),
    rows: rows.map(({ table, id, before, after }) => ({ table, id, before, after })),
  };
}

/** Newest first, by key: `before` continues after a page's last number. */
export async function listChanges(
  db: Knex,
  filter: HistoryFilter,
  page: { readonly before: number | null; readonly limit: number },
): Promise<ChangeSummary[]> {
  const query = db('mail_changes').orderBy('number', 'desc').limit(page.limit);
  if (page.before !== null) void query.where('number', '<', page.before);
  if (filter.section !== undefined) void query.whereRaw('? = any(sections)', [filter.section]);
  if (filter.actor !== undefined) void query.where('actor', filter.actor);
  if (filter.state !== undefined) void query.where('state', filter.state);
  return ((await query) as ChangeRecord[]).map(summary);
}

/** The applied changes after this one that take back others, newest first. */
export async function listUndos(db: Knex, after: number): Promise<Undo[]> {
  const records = await db('mail_changes')
    .where('number', '>', after)
    .where('state', 'applied')
    .whereNotNull('undoes')
    .orderBy('number', 'desc')
    .select<Pick<ChangeRecord, 'number' | 'undoes' | 'title_key'>[]>(
      'number',
      'undoes',
      'title_key',
    );
  return records.map(({ number, undoes, title_key: title }) => ({
    ...{ number: Number(number), undoes: Number(undoes) },
    since: title === UNDO_SINCE,
  }));
}

/** The highest number there is, and the highest that is applied; 0 when there is none. */
export async function readNumbers(db: Knex): Promise<{ highest: number; applied: number }> {
  const answer: { rows: { highest: string | null; applied: string | null }[] } = await db.raw(
    `select max(number) as highest, (select max(number) from mail_changes where state = 'applied') as applied
       from mail_changes`,
  );
  const { highest, applied } = answer.rows[0]!;
  return { highest: Number(highest ?? 0), applied: Number(applied ?? 0) };
}

/** Lets the next change have a number above `number`. */
export async function skipNumbers(db: Knex, number: number): Promise<void> {
  await db.raw(
    `select setval(pg_get_serial_sequence('mail_changes', 'number'), ?)
      where ? > (select coalesce(max(number), 0) from mail_changes)`,
    [number, number],
  );
}

function summary(record: ChangeRecord): ChangeSummary {
  return { ...common(record), rowCount: record.row_count };
}

function common(record: ChangeRecord): Omit<Change, 'rows'> {
  return {
    id: record.number,
    number: Number(record.number),
    actor: record.actor,
    at: record.at,
    settledAt: record.settled_at,
    state: record.state,
    sections: record.sections,
    title: { key: record.title_key, values: record.title_values },
    undoes: record.undoes,
    result: record.result,
    failure: record.failure,
  };
}
