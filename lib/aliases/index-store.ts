/** The list's own index of aliases, which the database keeps (migration 006): counts, and what is to be looked at. Its pages are in `page-store.ts`. */
import type { Knex } from 'knex';
import { splitAddress } from './address.js';
import type { Alias } from './schema.js';
import {
  NO_COUNTS,
  STATE_RANKS,
  type AliasState,
  type ListedState,
  type StateCounts,
} from './states.js';
import { toAlias, type AliasRecord } from './store.js';

/** What is asked of the targets of other aliases; `after` is the name after which a page begins. */
export interface LeadingQuery {
  /** Names whose mail may come by way of others. */
  readonly names: readonly string[];
  /** Domain of bare targets. */
  readonly home: string;
  readonly after: string;
  readonly limit: number;
}

/** Name and targets of an alias. */
export type Pointing = Pick<Alias, 'name' | 'targets'>;

/** The parts of a target: `part.local` in small letters, `part.domain` also of a bare one. */
const PARTS = `unnest(row.targets) as target cross join lateral (
  select split_part(lower(target), '@', 1) as local,
         case when target like '%@%' then split_part(target, '@', 2) else ? end as domain) as part`;

/**
 * Aliases that are switched on and may lead to one of these names: a target begins like it, in its domain, or, for a bare
 * name, in one where bare names count. Not those of the names themselves. Each name by itself goes through the index.
 */
export async function readMaybeLeading(
  db: Knex,
  { names, home, after, limit }: LeadingQuery,
  bareDomains: readonly string[],
): Promise<Pointing[]> {
  const asked = names.map(splitAddress);
  const answer: { rows: Pointing[] } = await db.raw(
    `select distinct on (row.name) row.name, row.targets
       from unnest(?::text[], ?::text[]) as asked (local, domain)
      cross join lateral (select each.alias_id from mail_alias_index as each
                           where each.refs @> array[asked.local] and each.name > ? offset 0) as one
      cross join lateral (select * from mail_aliases as each where each.id = one.alias_id offset 0) as row
      where row.enabled and row.name <> all(?::text[]) and exists (
        select 1 from ${PARTS} where starts_with(part.local, asked.local) and case
          when asked.domain <> '' then part.domain = asked.domain else part.domain = any(?::text[]) end)
      order by row.name limit ?`,
    [
      ...[asked.map(({ local }) => local), asked.map(({ domain }) => domain ?? '')],
      ...[after, [...names], home, [...bareDomains], limit],
    ],
  );
  return answer.rows;
}

/** Domains whose unknown recipients somebody gets. */
export async function readCaughtDomains(db: Knex): Promise<string[]> {
  const rows = await db('mail_aliases')
    .whereRaw(`name like '@%'`)
    .where('enabled', true)
    .select<{ name: string }[]>('name');
  return rows.map(({ name }) => name.slice(1));
}

/** The same for the unknown recipients of domains: a target there that is neither one of `known` nor an alias. */
export async function readMaybeCaught(
  db: Knex,
  { names, home, after, limit }: LeadingQuery,
  known: readonly string[],
): Promise<Pointing[]> {
  const domains = names.map((name) => splitAddress(name).domain ?? '');
  const answer: { rows: Pointing[] } = await db.raw(
    `select row.name, row.targets from mail_aliases as row
      where row.enabled and row.name > ? and row.name <> all(?::text[]) and exists (
        select 1 from ${PARTS} where part.domain = any(?::text[]) and part.local not in (select unnest(?::text[]))
           and not exists (select 1 from mail_aliases as other where other.enabled
                            and other.name in (part.local, part.local || '@' || part.domain)))
      order by row.name limit ?`,
    [after, [...names], home, domains, [...known], limit],
  );
  return answer.rows;
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
  /** Another one after each change that may bring a state into doubt (migration 015). */
  readonly turn: string;
}

export async function readWork(db: Knex): Promise<AliasWork> {
  const row = await db('mail_alias_work').first<AliasWork | undefined>('sweep', 'world', 'turn');
  return row ?? { sweep: '', world: null, turn: '0' };
}

/** Another world: all have to be looked at again. */
export async function beginSweep(db: Knex, world: string): Promise<void> {
  await beginTurn(db, { sweep: '', world });
}

async function beginTurn(db: Knex, work: Partial<AliasWork>): Promise<void> {
  await db('mail_alias_work').update({ ...work, turn: db.raw('turn + 1') });
}

/** The world has changed for these names only: those that lead to them, and those that are called so. */
export async function doubtNames(db: Knex, names: readonly string[], world: string): Promise<void> {
  await db.transaction(async (trx) => {
    // First, as the triggers do: whoever records states waits here, not half way.
    await beginTurn(trx, { world });
    await trx.raw('select mail_alias_doubt(?::text[])', [[...names]]);
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

export interface LookedState {
  readonly id: string;
  readonly state: AliasState;
}

/**
 * Records what a look said that began at `work`, and after which name a look at all goes on. Nothing of it when an alias
 * was changed meanwhile: others may lead there, and have to be looked at once more.
 */
export async function writeStates(
  db: Knex,
  work: AliasWork,
  looked: readonly LookedState[],
  sweep: string | null,
): Promise<void> {
  const rows = looked.map(({ id, state }) => ({ id, state: STATE_RANKS[state] }));
  await db.transaction(async (trx) => {
    const same = await trx('mail_alias_work')
      .where('turn', work.turn)
      .forUpdate()
      .first<Pick<AliasWork, 'turn'> | undefined>('turn');
    if (same === undefined) return;
    await trx.raw(
      `update mail_alias_index as one set state = said.state
         from jsonb_to_recordset(?::jsonb) as said (id bigint, state smallint)
        where one.alias_id = said.id and one.state <> said.state`,
      [JSON.stringify(rows)],
    );
    if (sweep !== work.sweep) await trx('mail_alias_work').update({ sweep });
  });
}
