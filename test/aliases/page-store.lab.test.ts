/** Pages of the list of aliases, against the plain way: all rows, filtered and sorted here. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Knex } from 'knex';
import { countStates } from '../../lib/aliases/index-store.js';
import {
  readAliasPage,
  readMatchingKeys,
  type AliasPageQuery,
} from '../../lib/aliases/page-store.js';
import { ALIAS_SORTS, ranksOf, STATE_RANKS, type StateFilter } from '../../lib/aliases/states.js';
import { engines, type Databases } from '../support/databases.js';

/** More than are put in order by themselves, and than are looked through from the beginning of a page. */
const ALIASES = 5_000;
const PAGE = 40;
/** Rows that one action is for, less than there are. */
const ACTED_ON = 4_000;
/** Pages of one order that are walked through, forwards and back. */
const WALKED = 3;

interface Plain {
  readonly id: string;
  readonly name: string;
  readonly goes: string;
  readonly state: number;
  readonly search: string;
}

for (const [engine, startEngine] of Object.entries(engines)) {
  describe(`pages of aliases on ${engine}`, () => {
    let databases: Databases;
    let db: Knex;
    let all: readonly Plain[];

    before(async () => {
      databases = await startEngine();
      db = await databases.fresh();
      // `seldom` is in every 9th, `late` in very many but none of the first 1,000 by name; few are dead.
      await db.raw(
        `insert into mail_aliases (name, targets, note, enabled, search, updated_by)
         select 'person.' || n || '@example.org', array[target], '', true,
                'person.' || n || '@example.org ' || target ||
                case when n % 9 = 0 then ' seldom' else '' end || case when n > 6100 then ' late' else '' end, 'ann'
           from (select n, 'goes' || (n * 7919) % 100003 || '@outside.example' as target
                   from generate_series(10000 - ?::integer, 9999) as n) as rows`,
        [ALIASES],
      );
      const { dead, fine, hides } = STATE_RANKS;
      await db.raw(
        `update mail_alias_index set state = case when alias_id % 97 = 0 then ?::integer
           when alias_id % 3 > 0 then ?::integer else ?::integer end`,
        [dead, hides, fine],
      );
      all = await db('mail_alias_index as one')
        .join('mail_aliases as row', 'row.id', 'one.alias_id')
        .select<Plain[]>('row.id', 'one.name', 'one.goes', 'one.state', 'row.search');
    });
    after(() => databases.stop());

    const expected = (query: AliasPageQuery): readonly string[] =>
      wanted(query).map(({ name }) => name);
    const wanted = (query: AliasPageQuery): readonly Plain[] => {
      const { search, beginning, state, sort, descending } = query;
      const ranks = ranksOf(state);
      const order = (one: Plain, other: Plain): number =>
        compare(one[sort], other[sort]) || compare(one.name, other.name);
      return all
        .filter((one) => ranks.length === 0 || ranks.includes(one.state))
        .filter((one) => (beginning ? one.name.startsWith(search) : one.search.includes(search)))
        .toSorted((one, other) => (descending ? order(other, one) : order(one, other)));
    };

    const walk = async (asked: Pick<AliasPageQuery, 'search' | 'beginning' | 'state'>) => {
      const counts = await countStates(db);
      for (const sort of ALIAS_SORTS) {
        for (const descending of [false, true]) {
          const query = { ...asked, sort, descending, after: null, before: null, limit: PAGE };
          const names = expected(query);
          const what = `${JSON.stringify(asked)} by ${sort}${descending ? ', backwards' : ''}`;
          let from: string | null = null;
          for (let page = 0; page < WALKED; page += 1) {
            const rows = await readAliasPage(db, { ...query, after: from }, counts);
            const there = names.slice(page * PAGE, (page + 1) * PAGE);
            assert.deepEqual(
              rows.map(({ alias }) => alias.name),
              there,
              `${what}, page ${page}`,
            );
            if (page > 0 && rows[0]) {
              const back = await readAliasPage(db, { ...query, before: rows[0].cursor }, counts);
              const earlier = names.slice((page - 1) * PAGE, page * PAGE);
              assert.deepEqual(
                back.map(({ alias }) => alias.name),
                earlier,
                `${what}, back`,
              );
            }
            if (rows.length < PAGE) break;
            from = rows.at(-1)?.cursor ?? null;
          }
        }
      }
    };

    const searches: Readonly<Record<string, readonly [search: string, beginning: boolean]>> = {
      nothing: ['', false],
      'what most have': ['outside', false],
      'what few have': ['seldom', false],
      'what only the last have': ['late', false],
      'what one has': ['person.7777@', false],
      'what nobody has': ['zqzqzq', false],
      'a sign with a meaning of its own': ['%', false],
      'a short beginning': ['pe', true],
      'a beginning nobody has': ['zz', true],
    };
    const states: readonly StateFilter[] = ['all', 'trouble', 'dead', 'off'];
    it('begin at the top when the address says of its place what no page of ours wrote', async () => {
      const places = [
        '[99999,"a"]',
        '[-40000,"a"]',
        '[80,"a\\u0000"]',
        '["a\\u0000","b"]',
        '{}',
        'null',
        '\0',
      ];
      const counts = await countStates(db);
      for (const sort of ALIAS_SORTS) {
        for (const after of places.filter((place) => sort !== 'name' || place === '\0')) {
          const query = { search: '', beginning: false, state: 'all', descending: false } as const;
          const asked = { ...query, sort, before: null, limit: PAGE };
          const [there, top] = [
            await readAliasPage(db, { ...asked, after }, counts),
            await readAliasPage(db, { ...asked, after: null }, counts),
          ];
          assert.deepEqual(there, top, `${sort} ${after}`);
        }
      }
    });

    for (const [what, [search, beginning]] of Object.entries(searches)) {
      it(`are the same when searched for ${what}`, async () => {
        for (const state of states) await walk({ search, beginning, state });
      });

      it(`are of the rows that are acted on when all are wanted of ${what}`, async () => {
        const counts = await countStates(db);
        for (const state of states) {
          const query = { search, beginning, state, limit: ACTED_ON };
          const keys = await readMatchingKeys(db, query, counts);
          const order = { sort: 'name', descending: false, after: null, before: null } as const;
          const rows = wanted({ ...query, ...order }).slice(0, ACTED_ON);
          assert.deepEqual(
            keys.map(({ id }) => id),
            rows.map(({ id }) => id),
            state,
          );
        }
      });
    }
  });
}

function compare(one: string | number, other: string | number): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
