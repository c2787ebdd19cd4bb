/** The list's own index of aliases, which the database keeps (migration 006): counts, and what is to be looked at. Its pages are in `page-store.ts`. */
import type { Knex } from 'knex';
import type { Alias } from './schema.js';
import {
  NO_COUNTS,
  STATE_RANKS,
  type AliasState,
  type ListedState,
  type StateCounts,
} from './states.js';
import { toAlias, type AliasRecord } from './store.js';

/** Names of aliases with one of these among their targets, which are not of them. */
export async function readLeadingTo(
  db: Knex,
  names: readonly string[],
  limit: number,
): Promise<string[]> {
  const locals = names.map((name) => name.split('@')[0] ?? '').filter((local) => local !== '');
  const rows = await db('mail_alias_index')
    .whereRaw('refs && ?::text[]', [locals])
    .whereRaw('name <> all(?::text[])', [[...names]])
    .orderBy('name')
    .limit(limit)
    .select<{ name: string }[]>('name');
  return rows.map(({ name }) => name);
}

/**
 * Puts into the indexes what very many new rows left in front of them, where every look-up would have to go through it
 * (GIN fast update). The embedded database does that of its own accord only once a day.
 */
export async function tidyIndexes(db: Knex): Promise<void> {
  await db.raw(
    `select gin_clean_pending_list(one.indexrelid)
       from pg_index as one join pg_class as index on index.oid = one.indexrelid join pg_am as kind on kind.oid = index.relam
      where kind.amname = 'gin' and one.indrelid in ('mail_aliases'::regclass, 'mail_alias_index'::regclass)`,
  );
}

export async function countStates(db: Knex): Promise<StateCounts> {
  const rows = await db('mail_alias_counts').select<{ state: number; count: string }[]>();
  const counts: Record<ListedState, number> = { ...NO_COUNTS };
  for (const { state, count } of rows) {
    const name = nameOfRank(state);
    if (name !== null) counts[name] += Number(count);
  }
  return counts;
}

function nameOfRank(rank: number): ListedState | null {
  const entry = Object.entries(STATE_RANKS).find(([, each]) => each === rank);
  return entry ? (entry[0] as ListedState) : null;
}

/** What is still to be looked at: `sweep` is the name after which a look at all goes on, null when none is due. */
export interface AliasWork {
  readonly sweep: string | null;
  /** What the machine was like when all were looked at last; null: never. */
  readonly world: string | null;
}

export async function readWork(db: Knex): Promise<AliasWork> {
  const row = await db('mail_alias_work').first<AliasWork | undefined>('sweep', 'world');
  return row ?? { sweep: '', world: null };
}

/** Another world: all have to be looked at again. */
export async function beginSweep(db: Knex, world: string): Promise<void> {
  await db('mail_alias_work').update({ sweep: '', world });
}

/** Only where nobody began anew meanwhile. */
export async function advanceSweep(db: Knex, from: string, to: string | null): Promise<void> {
  await db('mail_alias_work').where('sweep', from).update({ sweep: to });
}

/** The world has changed for these names only: those that lead to them, and those that are called so. */
export async function doubtNames(db: Knex, names: readonly string[], world: string): Promise<void> {
  await db.transaction(async (trx) => {
    await trx.raw('select mail_alias_doubt(?::text[])', [[...names]]);
    const { unchecked, off } = STATE_RANKS;
    await trx('mail_alias_index')
      .whereRaw('name = any(?::text[])', [[...names]])
      .whereNotIn('state', [unchecked, off])
      .update({ state: unchecked });
    await trx('mail_alias_work').update({ world });
  });
}

/** Aliases that nobody has looked at since something changed, with the state that is on record. */
export function readUnchecked(db: Knex, limit: number): Promise<(Alias & { rank: number })[]> {
  return readRanked(db, limit, (rows) => rows.where('one.state', STATE_RANKS.unchecked));
}

/** Switched on or off, in the order of names. */
export function readRankedAfter(
  db: Knex,
  name: string,
  limit: number,
): Promise<(Alias & { rank: number })[]> {
  return readRanked(db, limit, (rows) => rows.where('one.name', '>', name));
}

async function readRanked(
  db: Knex,
  limit: number,
  narrow: (rows: Knex.QueryBuilder) => Knex.QueryBuilder,
): Promise<(Alias & { rank: number })[]> {
  const rows = narrow(
    db('mail_alias_index as one').join('mail_aliases as row', 'row.id', 'one.alias_id'),
  )
    .orderBy('one.name')
    .limit(limit);
  const found = await rows.select<(AliasRecord & { rank: number })[]>('row.*', 'one.state as rank');
  return found.map((row) => ({ ...toAlias(row), rank: row.rank }));
}

/** Records what a look said; a row that was changed since is left alone. */
export async function writeStates(
  db: Knex,
  looked: readonly { readonly id: string; readonly version: number; readonly state: AliasState }[],
): Promise<void> {
  if (looked.length === 0) return;
  const rows = looked.map(({ id, version, state }) => ({ id, version, state: STATE_RANKS[state] }));
  await db.raw(
    `update mail_alias_index as one set state = said.state
       from jsonb_to_recordset(?::jsonb) as said (id bigint, version integer, state smallint)
       join mail_aliases as row on row.id = said.id and row.version = said.version
      where one.alias_id = said.id and one.state <> said.state`,
    [JSON.stringify(rows)],
  );
}
