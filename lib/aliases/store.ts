/** The administrator's aliases: one row each. */
import type { Knex } from 'knex';
import type { Row, TouchedRow } from '../changes/change.js';
import {
  deleteRows,
  insertRows,
  updateEach,
  updateRow,
  updateRows,
  type RowKey,
} from '../changes/rows.js';
import { displayAddress } from './address.js';
import type { Alias } from './schema.js';

export const ALIASES_TABLE = 'mail_aliases';

/** What the administrator says of an alias. */
export type AliasValues = Pick<Alias, 'name' | 'targets' | 'note' | 'enabled'>;

export interface AliasRecord {
  readonly id: string;
  readonly name: string;
  readonly targets: readonly string[];
  readonly note: string;
  readonly enabled: boolean;
  readonly version: number;
  readonly updated_at: Date;
  readonly updated_by: string;
}

export async function findAlias(db: Knex, id: string): Promise<Alias | null> {
  if (!/^[1-9][0-9]{0,17}$/.test(id)) return null;
  const row = await db(ALIASES_TABLE).where('id', id).first<AliasRecord | undefined>();
  return row ? toAlias(row) : null;
}

export async function findAliases(db: Knex, ids: readonly string[]): Promise<Alias[]> {
  const wanted = ids.filter((id) => /^[1-9][0-9]{0,17}$/.test(id));
  const rows = await db(ALIASES_TABLE)
    .whereRaw('id = any(?::bigint[])', [wanted])
    .orderBy('name')
    .select<AliasRecord[]>();
  return rows.map(toAlias);
}

/** Those of these names that are there, switched on or not. */
export async function findByNames(db: Knex, names: readonly string[]): Promise<Alias[]> {
  if (names.length === 0) return [];
  const rows = await db(ALIASES_TABLE)
    .whereRaw('name = any(?::text[])', [[...names]])
    .select<AliasRecord[]>();
  return rows.map(toAlias);
}

/** Where those of these names lead that are switched on. */
export async function findTargets(
  db: Knex,
  names: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (names.length === 0) return new Map();
  const rows = await db(ALIASES_TABLE)
    .whereRaw('name = any(?::text[])', [[...names].sort()])
    .where('enabled', true)
    .select<Pick<Alias, 'name' | 'targets'>[]>('name', 'targets');
  return new Map(rows.map(({ name, targets }) => [name, targets]));
}

/**
 * Whether there is an alias at all, and what the section's settings say: whether any is switched on, and any of these for
 * unknown recipients.
 */
export async function readUse(
  db: Knex,
): Promise<{ any: boolean; active: boolean; catchAll: boolean }> {
  const answer: { rows: { some: boolean; active: boolean; catch_all: boolean }[] } = await db.raw(
    `select exists (select 1 from mail_aliases) as some,
            exists (select 1 from mail_aliases where enabled) as active,
            exists (select 1 from mail_aliases where name like '@%' and enabled) as catch_all`,
  );
  const { some: any = false, active = false, catch_all: catchAll = false } = answer.rows[0] ?? {};
  return { any, active, catchAll };
}

/** How many that are switched on are named, or lead to addresses, in a domain; and the first of them. */
export async function countInDomain(
  db: Knex,
  domain: string,
  part: 'name' | 'targets',
): Promise<{ readonly count: number; readonly name: string }> {
  const at = `@${domain}`;
  const inside = {
    name: 'right(name, length(?)) = ?',
    targets: 'exists (select 1 from unnest(targets) as target where right(target, length(?)) = ?)',
  }[part];
  const answer: { rows: { count: string; name: string | null }[] } = await db.raw(
    `select count(*) as count, min(name) as name from mail_aliases where enabled and ${inside}`,
    [at, at],
  );
  const { count = '0', name = null } = answer.rows[0] ?? {};
  return { count: Number(count), name: name ?? '' };
}

/** Every alias there is, in the order of their names' bytes. */
export async function readAllAliases(db: Knex): Promise<Alias[]> {
  const rows = await db(ALIASES_TABLE).orderBy('name').select<AliasRecord[]>();
  return rows.map(toAlias);
}

/** Rows at a time when all are read. */
const ROWS_PER_PAGE = 2_000;

/**
 * All that are switched on, in the order of their names' bytes. A page comes as one row, of two lists in JSON: row by row
 * the embedded database takes three times as long.
 */
export async function* readAllEnabled(
  db: Knex,
): AsyncIterable<readonly (readonly [name: string, targets: readonly string[]])[]> {
  let after: string | null = null;
  for (;;) {
    const page = db(ALIASES_TABLE).select('name', 'targets').where('enabled', true);
    if (after !== null) void page.where('name', '>', after);
    const row = await db
      .from(page.orderBy('name').limit(ROWS_PER_PAGE).as('page'))
      .select(db.raw('json_agg(name) as names, json_agg(targets) as targets'))
      .first<{ names: string[] | null; targets: string[][] | null }>();
    const { names, targets } = row;
    if (names === null || targets === null) return;
    yield names.map((name, index) => [name, targets[index] ?? []] as const);
    if (names.length < ROWS_PER_PAGE) return;
    after = names.at(-1) ?? null;
  }
}

/** All there are, in the order of their names' bytes. */
export async function* streamAliases(db: Knex): AsyncIterable<readonly Alias[]> {
  let after = '';
  for (;;) {
    const rows = await db(ALIASES_TABLE)
      .where('name', '>', after)
      .orderBy('name')
      .limit(ROWS_PER_PAGE)
      .select<AliasRecord[]>();
    if (rows.length > 0) yield rows.map(toAlias);
    if (rows.length < ROWS_PER_PAGE) return;
    after = rows.at(-1)?.name ?? after;
  }
}

export function insertAliases(
  trx: Knex.Transaction,
  aliases: readonly AliasValues[],
  actor: string,
): Promise<TouchedRow[]> {
  return insertRows(trx, ALIASES_TABLE, aliases.map(toColumns), { actor });
}

/** Throws `ConflictError` on another version, `NotFoundError` when it is gone. */
export function updateAlias(
  trx: Knex.Transaction,
  key: RowKey,
  values: AliasValues,
  actor: string,
): Promise<TouchedRow[]> {
  return updateRow(trx, ALIASES_TABLE, key, toColumns(values), { actor, formValues });
}

/** Throws like `updateAlias`, for the first that cannot be changed. */
export function updateAliases(
  trx: Knex.Transaction,
  aliases: readonly { readonly key: RowKey; readonly values: AliasValues }[],
  actor: string,
): Promise<TouchedRow[]> {
  const changes = aliases.map(({ key, values }) => ({ key, values: toColumns(values) }));
  return updateEach(trx, ALIASES_TABLE, changes, { actor, formValues });
}

/** All of them or none. Throws `ConflictError` on another version, `NotFoundError` when one is gone. */
export function switchAliases(
  trx: Knex.Transaction,
  keys: readonly RowKey[],
  enabled: boolean,
  actor: string,
): Promise<TouchedRow[]> {
  return updateRows(trx, ALIASES_TABLE, keys, { enabled }, { actor, formValues });
}

/** All of them or none. Throws `ConflictError` on another version, `NotFoundError` when one is gone. */
export function removeAliases(
  trx: Knex.Transaction,
  keys: readonly RowKey[],
): Promise<TouchedRow[]> {
  return deleteRows(trx, ALIASES_TABLE, keys, { formValues });
}

/** A kept row as the form shows it. */
function formValues(row: Row): Readonly<Record<string, unknown>> {
  const { name, targets, note, enabled } = row;
  return { name, targets, note, enabled };
}

function toColumns({ name, targets, note, enabled }: AliasValues): Record<string, unknown> {
  return { name, targets, note, enabled, search: searchText(name, targets, note) };
}

/** What the list searches: addresses as they are kept and as people read them. */
function searchText(name: string, targets: readonly string[], note: string): string {
  const addresses = [name, ...targets];
  const shown = addresses.map(displayAddress).filter((text) => !addresses.includes(text));
  return [...addresses, ...shown, note].join(' ').toLowerCase();
}

export function toAlias(row: AliasRecord): Alias {
  const { id, name, targets, note, enabled, version } = row;
  return {
    ...{ id, name, targets, note, enabled, version },
    updatedAt: row.updated_at,
    updatedBy: row.updated_by,
  };
}
