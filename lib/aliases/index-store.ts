/** The list's own index of aliases, which the database keeps (migration 006): pages, counts, and what is to be looked at. */
import type { Knex } from 'knex';
import type { Alias } from './schema.js';
import {
  NO_COUNTS,
  ranksOf,
  STATE_RANKS,
  type AliasSort,
  type AliasState,
  type ListedState,
  type StateCounts,
  type StateFilter,
} from './states.js';
import { toAlias, type AliasRecord } from './store.js';

/** Shorter texts are in most rows, or in none: in long lists they are the beginning of a name. */
export const MIN_ANYWHERE_CHARS = 3;
/** Lists up to this length are searched whole whatever the text. */
export const SHORT_LIST = 5_000;

export interface AliasPageQuery {
  /** Lower case; '' for all. */
  readonly search: string;
  /** The text is the beginning of the name, not somewhere in it. */
  readonly beginning: boolean;
  readonly state: StateFilter;
  readonly sort: AliasSort;
  readonly descending: boolean;
  /** The row after which the page begins, or before which it ends, as `cursorOf` wrote it; null for the first page. */
  readonly after: string | null;
  readonly before: string | null;
  readonly limit: number;
}

/** An alias with the place of its row in this order. */
export interface ListedAlias {
  readonly alias: Alias;
  readonly cursor: string;
}

interface PageRecord extends AliasRecord {
  readonly listed_goes: string;
  readonly listed_state: number;
}

/** One page by key, in the order of the list. */
export async function readAliasPage(db: Knex, query: AliasPageQuery): Promise<ListedAlias[]> {
  const backwards = query.before !== null;
  const down = query.descending !== backwards;
  const order = down ? 'desc' : 'asc';
  const rows = matching(db, query).limit(query.limit);
  const columns = query.sort === 'name' ? ['one.name'] : [`one.${query.sort}`, 'one.name'];
  for (const column of columns) void rows.orderBy(column, order);
  const from = readCursor(query.before ?? query.after, query.sort);
  if (from !== null) {
    const places = columns.map(() => '?').join(', ');
    void rows.whereRaw(`(${columns.join(', ')}) ${down ? '<' : '>'} (${places})`, from);
  }
  void rows.select('row.*', 'one.goes as listed_goes', 'one.state as listed_state');
  const found = ((await rows) as PageRecord[]).map((row) => ({
    alias: toAlias(row),
    cursor: cursorOf(row, query.sort),
  }));
  return backwards ? found.reverse() : found;
}

/** Ids and versions of all that match, at most `limit`. */
export async function readMatchingKeys(
  db: Knex,
  query: Pick<AliasPageQuery, 'search' | 'beginning' | 'state'>,
  limit: number,
): Promise<{ id: string; version: number }[]> {
  const rows = matching(db, query).orderBy('one.name').limit(limit);
  return rows.select<{ id: string; version: number }[]>('row.id', 'row.version');
}

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

function matching(
  db: Knex,
  { search, beginning, state }: Pick<AliasPageQuery, 'search' | 'beginning' | 'state'>,
): Knex.QueryBuilder {
  const rows = db('mail_alias_index as one').join('mail_aliases as row', 'row.id', 'one.alias_id');
  const ranks = ranksOf(state);
  if (ranks.length > 0) void rows.whereRaw('one.state = any(?::smallint[])', [[...ranks]]);
  if (search !== '' && beginning) void rows.whereLike('one.name', `${escapeLike(search)}%`);
  else if (search !== '') void rows.whereLike('row.search', `%${escapeLike(search)}%`);
  return rows;
}

function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, (sign) => `\\${sign}`);
}

function cursorOf(row: PageRecord, sort: AliasSort): string {
  if (sort === 'name') return row.name;
  return JSON.stringify([sort === 'goes' ? row.listed_goes : row.listed_state, row.name]);
}

/** Null for what no page of ours wrote. */
function readCursor(text: string | null, sort: AliasSort): (string | number)[] | null {
  if (text === null || text.includes('\0')) return null;
  if (sort === 'name') return [text];
  try {
    const [first, name] = JSON.parse(text) as unknown[];
    const fits = sort === 'goes' ? typeof first === 'string' : Number.isInteger(first);
    return fits && typeof name === 'string' ? [first as string | number, name] : null;
  } catch {
    return null;
  }
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
