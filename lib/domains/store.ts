/** The local domains: one row each, and a mark in `mail_settings` once the list was saved for the first time. */
import type { Knex } from 'knex';
import type { TouchedRow } from '../changes/change.js';
import { deleteRow, insertRows, type RowKey } from '../changes/rows.js';
import { NEVER_SAVED, readSettings, writeSettings } from '../settings/store.js';

const TABLE = 'mail_domains';
const SECTION = 'domains';

export interface DomainRow {
  readonly id: string;
  /** A-labels, lower case. */
  readonly name: string;
  readonly version: number;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

/** By name. Null while the list was never saved: the page shows what the machine has then. */
export async function readDomains(db: Knex): Promise<DomainRow[] | null> {
  if (!(await readSettings(db, SECTION))) return null;
  const rows = await db(TABLE).orderBy('name').select<
    {
      id: string;
      name: string;
      version: number;
      updated_at: Date;
      updated_by: string;
    }[]
  >();
  return rows.map(({ id, name, version, updated_at: updatedAt, updated_by: updatedBy }) => ({
    id,
    name,
    version,
    updatedAt,
    updatedBy,
  }));
}

/** The names among `names` that are in the list already. */
export async function takenNames(db: Knex, names: readonly string[]): Promise<string[]> {
  return db(TABLE)
    .whereIn('name', [...names])
    .orderBy('name')
    .pluck<string[]>('name');
}

/** Adds domains. Throws PostgreSQL's unique violation for a name that is there: ask `takenNames` in the same transaction. */
export async function addDomains(
  trx: Knex.Transaction,
  names: readonly string[],
  actor: string,
): Promise<TouchedRow[]> {
  const rows = names.map((name) => ({ name }));
  return [...(await markSaved(trx, actor)), ...(await insertRows(trx, TABLE, rows, { actor }))];
}

/** Removes one domain. Throws `NotFoundError` when it is gone, `ConflictError` when it has another version. */
export function removeDomain(trx: Knex.Transaction, key: RowKey): Promise<TouchedRow[]> {
  return deleteRow(trx, TABLE, key);
}

async function markSaved(trx: Knex.Transaction, actor: string): Promise<TouchedRow[]> {
  if (await readSettings(trx, SECTION)) return [];
  return writeSettings(trx, SECTION, {}, { actor, version: NEVER_SAVED });
}
