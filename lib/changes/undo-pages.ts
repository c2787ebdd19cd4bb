/**
 * The undo of one change with very many rows, such as an import of aliases: page by page, the last ones first, so that
 * neither its rows nor what the undo writes are ever held at once.
 */
import type { Knex } from 'knex';
import type { ChangeSummary, PagedIntent } from './change.js';
import { HELD_ROWS } from './recover.js';
import { secretsOfRow, type SecretsCatalogue } from './secrets.js';
import { readStoredPagesBackwards } from './store.js';
import { takeBackPage, undoHead } from './undo.js';

/**
 * Null for a change that has to be taken back as a whole: one with few rows, of several tables, with secrets, with a row
 * that it wrote more than once, or with a name that went from one row to another. `writePages` throws like the `write` of `undoIntent`.
 */
export async function pagedUndo(
  db: Knex,
  change: ChangeSummary,
  all: SecretsCatalogue,
  actor: string,
): Promise<PagedIntent | null> {
  const { number, rowCount, state } = change;
  if (rowCount <= HELD_ROWS || state !== 'applied') return null;
  if (!(await standAlone(db, number, all))) return null;
  return {
    ...undoHead([change], actor),
    writePages: async function* (trx) {
      for await (const rows of readStoredPagesBackwards(trx, number)) {
        yield await takeBackPage(trx, { ...change, rows }, all, actor);
      }
    },
  };
}

/** Whether no row of the change has anything to do with another one. */
async function standAlone(db: Knex, number: number, all: SecretsCatalogue): Promise<boolean> {
  const tables = await db('mail_change_rows')
    .where('change', number)
    .distinct<{ table_name: string }[]>('table_name');
  const [only, ...others] = tables.map(({ table_name: table }) => table);
  if (only === undefined || others.length > 0) return false;
  if (secretsOfRow(all, { table: only, id: '' }).secrets.length > 0) return false;
  const answer: { rows: { entangled: boolean }[] } = await db.raw(
    `select count(*) <> count(distinct row_id)
              or bool_or(coalesce(before, after) ->> 'name' is null)
              or coalesce(bool_or(before ->> 'name' <> after ->> 'name'), false) as entangled
       from mail_change_rows where change = ?`,
    [number],
  );
  return answer.rows[0]?.entangled === false && (await eachNameOnce(db, number));
}

/** One alias may be gone and another one be there under its name. */
async function eachNameOnce(db: Knex, number: number): Promise<boolean> {
  const answer: { rows: unknown[] } = await db.raw(
    `select 1 from mail_change_rows where change = ?
      group by coalesce(before, after) ->> 'name' having count(*) > 1 limit 1`,
    [number],
  );
  return answer.rows.length === 0;
}
