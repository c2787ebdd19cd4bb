/** The recipients that the directory named last: one row a name. */
import type { Knex } from 'knex';
import type { TouchedRow } from '../changes/change.js';
import { deleteRows, insertRows, type RowKey } from '../changes/rows.js';

export const RECIPIENTS_TABLE = 'mail_recipients';

/** Rows at a time when all are read. */
const ROWS_PER_PAGE = 5_000;

/** By name: the login it belongs to. */
export type Recipients = ReadonlyMap<string, string>;

export interface RecipientRow extends RowKey {
  readonly name: string;
  readonly login: string;
}

export async function hasRecipients(db: Knex): Promise<boolean> {
  return (await db(RECIPIENTS_TABLE).first('id')) !== undefined;
}

export function readRecipients(db: Knex): Promise<RecipientRow[]> {
  return db(RECIPIENTS_TABLE).orderBy('name').select<RecipientRow[]>();
}

/** All there are, in the order of their names' bytes. */
export async function* streamRecipients(
  db: Knex,
): AsyncIterable<readonly (readonly [name: string, login: string])[]> {
  let after = '';
  for (;;) {
    const rows = await db(RECIPIENTS_TABLE)
      .where('name', '>', after)
      .orderBy('name')
      .limit(ROWS_PER_PAGE)
      .select<RecipientRow[]>();
    if (rows.length > 0) yield rows.map(({ name, login }) => [name, login] as const);
    if (rows.length < ROWS_PER_PAGE) return;
    after = rows.at(-1)?.name ?? after;
  }
}

/** Removes these rows and adds these names. */
export async function replaceRecipients(
  trx: Knex.Transaction,
  gone: readonly RecipientRow[],
  fresh: Recipients,
  actor: string,
): Promise<readonly TouchedRow[]> {
  const removed = await deleteRows(trx, RECIPIENTS_TABLE, gone);
  const rows = [...fresh].map(([name, login]) => ({ name, login }));
  return [...removed, ...(await insertRows(trx, RECIPIENTS_TABLE, rows, { actor }))];
}
