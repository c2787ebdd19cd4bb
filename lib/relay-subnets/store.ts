/** The open relay subnets: one row each, and a mark in `mail_settings` once the list was saved for the first time. */
import type { Knex } from 'knex';
import type { TouchedRow } from '../changes/change.js';
import { deleteRow, insertRows, updateRow, type RowKey } from '../changes/rows.js';
import { NEVER_SAVED, readSettings, writeSettings } from '../settings/store.js';

const TABLE = 'mail_relay_networks';
const SECTION = 'relay';

export interface NetworkRow {
  readonly id: string;
  /** As `formatNetwork` writes it. */
  readonly network: string;
  readonly note: string;
  readonly version: number;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

/** In the order in which they came. Null while the list was never saved: the page shows what the machine has then. */
export async function readNetworks(db: Knex): Promise<NetworkRow[] | null> {
  if (!(await readSettings(db, SECTION))) return null;
  const rows = await db(TABLE).orderBy('id').select<
    {
      id: string;
      network: string;
      note: string;
      version: number;
      updated_at: Date;
      updated_by: string;
    }[]
  >();
  return rows.map(({ updated_at: updatedAt, updated_by: updatedBy, ...row }) => {
    return { ...row, updatedAt, updatedBy };
  });
}

/** Throws PostgreSQL's unique violation for a network that is there: look first, in the same transaction. */
export async function addNetworks(
  trx: Knex.Transaction,
  networks: readonly { readonly network: string; readonly note: string }[],
  actor: string,
): Promise<TouchedRow[]> {
  const rows = networks.map(({ network, note }) => ({ network, note }));
  return [...(await markSaved(trx, actor)), ...(await insertRows(trx, TABLE, rows, { actor }))];
}

/** Throws `NotFoundError` when it is gone, `ConflictError` when it has another version. */
export function writeNote(
  trx: Knex.Transaction,
  key: RowKey,
  note: string,
  actor: string,
): Promise<TouchedRow[]> {
  return updateRow(trx, TABLE, key, { note }, { actor });
}

/** Throws `NotFoundError` when it is gone, `ConflictError` when it has another version. */
export function removeNetwork(trx: Knex.Transaction, key: RowKey): Promise<TouchedRow[]> {
  return deleteRow(trx, TABLE, key);
}

async function markSaved(trx: Knex.Transaction, actor: string): Promise<TouchedRow[]> {
  if (await readSettings(trx, SECTION)) return [];
  return writeSettings(trx, SECTION, {}, { actor, version: NEVER_SAVED });
}
