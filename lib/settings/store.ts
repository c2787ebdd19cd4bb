/** Sections that are one form: their settings are one row of `mail_settings`. */
import type { Knex } from 'knex';
import { ConflictError } from '../errors.js';
import type { Row, TouchedRow } from '../changes/change.js';
import { insertRows, lockRow, updateRow, type WriteOptions } from '../changes/rows.js';

const TABLE = 'mail_settings';

export interface SavedSettings<Settings> {
  readonly settings: Settings;
  readonly version: number;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

/** The form's version while a section was never saved. */
export const NEVER_SAVED = 0;

/** Null when the section was never saved: the page shows what the machine has then. */
export async function readSettings<Settings>(
  db: Knex,
  section: string,
): Promise<SavedSettings<Settings> | null> {
  const row = await db(TABLE)
    .where('id', section)
    .first<
      { value: Settings; version: number; updated_at: Date; updated_by: string } | undefined
    >();
  if (!row) return null;
  return {
    settings: row.value,
    version: row.version,
    updatedAt: row.updated_at,
    updatedBy: row.updated_by,
  };
}

export interface WriteSettingsOptions {
  readonly actor: string;
  /** The version the form was made from; `NEVER_SAVED` for a section without a row. */
  readonly version: number;
  /** What the page shows of somebody else's settings; must leave secrets out. Default: the settings as they are. */
  readonly formValues?: (settings: Row) => Readonly<Record<string, unknown>>;
}

/** Writes a section's whole settings. Equal settings touch nothing. Throws `ConflictError` on another version. */
export async function writeSettings(
  trx: Knex.Transaction,
  section: string,
  settings: Readonly<Record<string, unknown>>,
  { actor, version, formValues = (value) => value }: WriteSettingsOptions,
): Promise<TouchedRow[]> {
  const options: WriteOptions = { actor, formValues: (row) => formValues(row.value as Row) };
  if (version !== NEVER_SAVED) {
    const current = await lockRow(trx, TABLE, section);
    // Its first save was taken back meanwhile.
    if (!current) throw new ConflictError({}, null, NEVER_SAVED);
    return updateRow(trx, TABLE, { id: section, version }, { value: settings }, options);
  }
  const current = await lockRow(trx, TABLE, section);
  if (current) {
    return updateRow(trx, TABLE, { id: section, version: NEVER_SAVED }, {}, options);
  }
  return insertRows(trx, TABLE, [{ id: section, value: settings }], options);
}
