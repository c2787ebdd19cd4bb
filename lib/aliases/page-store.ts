/**
 * Pages of the list of aliases, over its own index (migration 006). How long one takes must not depend on what the planner
 * knows of the table: the embedded database counts its rows once a day. So the order of looking is written out here. What
 * is common stands near the place where the page begins; what is not near is rare, and is found by itself and put in order.
 */
import type { Knex } from 'knex';
import type { Alias } from './schema.js';
import {
  countOf,
  ranksOf,
  STATE_RANKS,
  type AliasSort,
  type StateCounts,
  type StateFilter,
} from './states.js';
import { toAlias, type AliasRecord } from './store.js';

/** Shorter texts are in most rows, or in none: in long lists they are the beginning of a name. */
export const MIN_ANYWHERE_CHARS = 3;
/** Lists up to this length are searched whole whatever the text. */
export const SHORT_LIST = 5_000;

/** Rows from the beginning of a page that are looked through for those that match. */
const NEAR = 1_000;
/** Rows that are put in order when all that match are found by themselves. */
const FEW = 3_000;

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

/** A piece of SQL with its values. */
interface Piece {
  readonly sql: string;
  readonly values: readonly (string | number | number[])[];
}

const ALL: Piece = { sql: 'true', values: [] };

/** One page by key, in the order of the list. */
export async function readAliasPage(
  db: Knex,
  query: AliasPageQuery,
  counts: StateCounts,
): Promise<ListedAlias[]> {
  const rows = await readRows(db, query, counts);
  const found = rows.map((row) => ({ alias: toAlias(row), cursor: cursorOf(row, query.sort) }));
  return query.before === null ? found : found.reverse();
}

/** Ids and versions of all that match, in the order of names, at most `limit`: what the pages of such a list show. */
export async function readMatchingKeys(
  db: Knex,
  query: Pick<AliasPageQuery, 'search' | 'beginning' | 'state' | 'limit'>,
  counts: StateCounts,
): Promise<{ id: string; version: number }[]> {
  const order = { sort: 'name', descending: false, after: null, before: null } as const;
  const rows = await readRows(db, { ...query, ...order }, counts);
  return rows.map(({ id, version }) => ({ id, version }));
}

async function readRows(
  db: Knex,
  query: AliasPageQuery,
  counts: StateCounts,
): Promise<readonly PageRecord[]> {
  const { search, state, limit } = query;
  if (search === '' && state === 'all') return readInOrder(db, query, limit);
  const inState = countOf(counts, state);
  if (inState <= FEW) {
    return state === 'all' ? readInOrder(db, query, null) : readChosen(db, query, byState(state));
  }
  const near = await readInOrder(db, query, NEAR);
  if (near.length >= limit) return near;
  const rare = search === '' ? null : bySearch(query);
  return rare !== null && (await isRare(db, rare))
    ? readChosen(db, query, rare)
    : readInOrder(db, query, null);
}

/** Looks through the index in the order of the list, not further than `scanned` rows. */
function readInOrder(
  db: Knex,
  query: AliasPageQuery,
  scanned: number | null,
): Promise<readonly PageRecord[]> {
  const order = orderOf(query);
  const from = fromCursor(query);
  const bounds = query.sort === 'name' ? bySort(query) : ALL;
  const matches = matching(query);
  const narrowed = scanned === null ? '' : `limit ${scanned}`;
  return db.transaction(
    async (trx) => {
      // Only the index gives rows in their order without reading all of them.
      await trx.raw('set local enable_sort = off');
      await trx.raw('set local enable_bitmapscan = off');
      await trx.raw('set local enable_seqscan = off');
      const answer: { rows: PageRecord[] } = await trx.raw(
        `select ${COLUMNS}
           from (select one.* from mail_alias_index as one where ${from.sql} and ${bounds.sql}
                  order by ${order} ${narrowed}) as one
          cross join lateral (select row.* from mail_aliases as row where row.id = one.alias_id offset 0) as row
          where ${matches.sql} order by ${order} limit ?`,
        [...from.values, ...bounds.values, ...matches.values, query.limit],
      );
      return answer.rows;
    },
    { readOnly: true },
  );
}

const COLUMNS = 'row.*, one.goes as listed_goes, one.state as listed_state';

/** Finds all that match by themselves, then puts them in order. */
async function readChosen(
  db: Knex,
  query: AliasPageQuery,
  rare: Piece,
): Promise<readonly PageRecord[]> {
  const from = fromCursor(query);
  const matches = matching(query);
  const answer: { rows: PageRecord[] } = await db.raw(
    `with chosen as materialized (${rare.sql})
     select ${COLUMNS} from chosen
      cross join lateral (select one.* from mail_alias_index as one where one.alias_id = chosen.alias_id offset 0) as one
      cross join lateral (select row.* from mail_aliases as row where row.id = chosen.alias_id offset 0) as row
      where ${from.sql} and ${matches.sql} order by ${orderOf(query)} limit ?`,
    [...rare.values, ...from.values, ...matches.values, query.limit],
  );
  return answer.rows;
}

async function isRare(db: Knex, { sql, values }: Piece): Promise<boolean> {
  const answer: { rows: { count: string }[] } = await db.raw(
    `select count(*) from (${sql} limit ${FEW + 1}) as found`,
    [...values],
  );
  return Number(answer.rows[0]?.count) <= FEW;
}

function byState(state: StateFilter): Piece {
  const sql = 'select alias_id from mail_alias_index where state = any(?::smallint[])';
  return { sql, values: [[...ranksOf(state)]] };
}

function bySearch(query: Pick<AliasPageQuery, 'search' | 'beginning'>): Piece {
  if (query.beginning) {
    const { sql, values } = bySort(query);
    return { sql: `select one.alias_id from mail_alias_index as one where ${sql}`, values };
  }
  const sql = 'select id as alias_id from mail_aliases where search like ?';
  return { sql, values: [`%${escapeLike(query.search)}%`] };
}

/** The part of the order by name in which the beginning of a name is. */
function bySort({ search, beginning }: Pick<AliasPageQuery, 'search' | 'beginning'>): Piece {
  if (!beginning || search === '') return ALL;
  return { sql: 'one.name >= ? and one.name < ?', values: [search, `${search}\u{10ffff}`] };
}

/** What a row has to be, in words that no index answers. */
function matching({ search, beginning, state }: AliasPageQuery): Piece {
  const ranks = ranksOf(state);
  const pieces: Piece[] = [
    ...(ranks.length > 0
      ? [{ sql: 'one.state + 0 = any(?::integer[])', values: [[...ranks]] }]
      : []),
    ...(search === ''
      ? []
      : beginning
        ? [{ sql: 'starts_with(one.name, ?)', values: [search] }]
        : [{ sql: 'strpos(row.search, ?) > 0', values: [search] }]),
  ];
  if (pieces.length === 0) return ALL;
  return {
    sql: pieces.map(({ sql }) => sql).join(' and '),
    values: pieces.flatMap(({ values }) => [...values]),
  };
}

function columnsOf(sort: AliasSort): readonly string[] {
  return sort === 'name' ? ['one.name'] : [`one.${sort}`, 'one.name'];
}

function isDown({ descending, before }: AliasPageQuery): boolean {
  return descending !== (before !== null);
}

function orderOf(query: AliasPageQuery): string {
  const order = isDown(query) ? 'desc' : 'asc';
  return columnsOf(query.sort)
    .map((column) => `${column} ${order}`)
    .join(', ');
}

function fromCursor(query: AliasPageQuery): Piece {
  const from = readCursor(query.before ?? query.after, query.sort);
  if (from === null) return ALL;
  const columns = columnsOf(query.sort);
  const places = columns.map(() => '?').join(', ');
  return {
    sql: `(${columns.join(', ')}) ${isDown(query) ? '<' : '>'} (${places})`,
    values: from,
  };
}

function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, (sign) => `\\${sign}`);
}

function cursorOf(row: PageRecord, sort: AliasSort): string {
  if (sort === 'name') return row.name;
  return JSON.stringify([sort === 'goes' ? row.listed_goes : row.listed_state, row.name]);
}

const RANKS: readonly unknown[] = Object.values(STATE_RANKS);

/** A text column takes no NUL, which JSON can spell out. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0');
}

/** Null for what no page of ours wrote. */
function readCursor(text: string | null, sort: AliasSort): (string | number)[] | null {
  if (text === null || text.includes('\0')) return null;
  if (sort === 'name') return [text];
  try {
    const [first, name] = JSON.parse(text) as unknown[];
    const fits = sort === 'goes' ? isText(first) : RANKS.some((rank) => rank === first);
    return fits && isText(name) ? [first as string | number, name] : null;
  } catch {
    return null;
  }
}
