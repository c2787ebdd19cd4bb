/** The states on record, whatever is saved in whatever order: the same as a look at all aliases would say. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Knex } from 'knex';
import { healthOf } from '../../lib/aliases/health.js';
import { countStates } from '../../lib/aliases/index-store.js';
import { parseAliasValue } from '../../lib/aliases/local.js';
import type { World } from '../../lib/aliases/resolve.js';
import { STATE_RANKS } from '../../lib/aliases/states.js';
import { readAllAliases } from '../../lib/aliases/store.js';
import { createAliasWatch } from '../../lib/aliases/watch.js';
import { aliasesIn, type Worlds } from '../../lib/aliases/world.js';
import { mailSchema, migrateMail } from '../../lib/database/mail-schema.js';
import { runMigrations } from '../../lib/database/migrate.js';
import { migrations } from '../../migrations/index.js';
import { engines, type Databases } from '../support/databases.js';
import { silentLog } from '../support/log.js';
import { randomNumbers } from '../support/random-numbers.js';

const HOME = 'example.org';
/** More than one save brings into doubt by itself. */
const MANY = 700;
const STEPS = 80;
const SEED = Number(process.env['SEED'] ?? Date.now() % 100_000);

for (const [engine, startEngine] of Object.entries(engines)) {
  describe(`states of aliases on ${engine}`, () => {
    let databases: Databases;
    let db: Knex;
    let users: Set<string>;
    let lookUp: (names: readonly string[]) => Promise<void>;

    before(async () => {
      databases = await startEngine();
    });
    after(() => databases.stop());
    beforeEach(async () => {
      db = await databases.fresh();
      users = new Set(['alice', 'bob']);
      lookUp = () => Promise.resolve();
    });

    const worldNow = (): World => ({
      isLocal: (domain) => domain === HOME,
      domains: [HOME],
      delimiters: '+',
      home: HOME,
      users: new Set(users),
      people: new Set(users),
      addresses: new Set<string>(),
      unknownToAdmin: false,
      system: new Map([['postmaster', parseAliasValue('alice')]]),
      aliases: async (names) => {
        const found = await aliasesIn(db)(names);
        await lookUp(names);
        return found;
      },
    });
    const startWatch = () => {
      const now = () => Promise.resolve(worldNow());
      const worlds = { now } as unknown as Worlds;
      return createAliasWatch({
        ...{ db, worlds, log: silentLog },
        directory: { onChange: () => () => undefined },
      });
    };
    const watched = async (): Promise<void> => {
      const watch = startWatch();
      await watch.look();
      await watch.close();
    };
    const insert = (name: string, targets: readonly string[], enabled = true) =>
      db('mail_aliases').insert({ name, targets, enabled, updated_by: 'ann' });
    const nextVersion = () => db.raw(`nextval('mail_versions')`);
    const change = (name: string, values: object) =>
      db('mail_aliases')
        .where({ name })
        .update({ version: nextVersion(), ...values });
    const isThere = async (name: string) =>
      (await db('mail_aliases').where({ name }).select('id')).length > 0;
    const recorded = async (): Promise<ReadonlyMap<string, number>> => {
      const rows = await db('mail_alias_index').select<{ name: string; state: number }[]>();
      return new Map(rows.map(({ name, state }) => [name, state]));
    };
    const manyTo = (target: string) =>
      db.raw(
        `insert into mail_aliases (name, targets, updated_by)
         select 'many' || n, array[?], 'ann' from generate_series(1, ?::integer) as n`,
        [target, MANY],
      );

    it(`are those of a look at all, after each of ${STEPS} random changes (SEED=${SEED})`, async () => {
      const random = randomNumbers(SEED);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
      const names = ['a', 'b', `b@${HOME}`, 'c', 'c+x', `d@${HOME}`, 'alice', `@${HOME}`, 'e'];
      const here = names.filter((name) => !name.startsWith('@'));
      const targets = [...here, 'bob', 'carol', 'ghost', 'a+y', `B@${HOME}`, 'out@else.example'];
      const someTargets = () => [pick(targets), pick(targets)].slice(pick([0, 1]));
      const watch = startWatch();
      for (let step = 0; step < STEPS; step += 1) {
        const name = pick(names);
        const there = await isThere(name);
        const kind = random();
        if (kind < 0.1) {
          const login = pick(['bob', 'carol', 'a']);
          if (!users.delete(login)) users.add(login);
        } else if (!there) {
          await insert(name, someTargets(), random() < 0.85);
        } else if (kind < 0.15) {
          await db('mail_aliases').update({ enabled: true, version: nextVersion() });
        } else if (kind < 0.3) {
          await db('mail_aliases').where({ name }).delete();
        } else if (kind < 0.5) {
          await change(name, { enabled: db.raw('not enabled') });
        } else if (kind < 0.7) {
          await change(name, { note: `${step}` });
        } else if (kind < 0.8) {
          const free = pick(names);
          if (!(await isThere(free))) await change(name, { name: free });
        } else {
          await change(name, { targets: someTargets() });
        }
        await watch.look();
        const all = await readAllAliases(db);
        const health = await healthOf(all, worldNow());
        const said = all.map((one) => [one.name, STATE_RANKS[health.get(one.name)!.state]]);
        assert.deepEqual(await recorded(), new Map(said as [string, number][]), `step ${step}`);
      }
      await watch.close();
    });

    it('stay on record while all are looked at again, where very many lead to what is saved', async () => {
      await manyTo('office');
      await watched();
      assert.equal((await countStates(db)).dead, MANY);
      await insert('office', ['alice']);
      const { dead, unchecked } = await countStates(db);
      assert.deepEqual({ dead, unchecked }, { dead: MANY, unchecked: 1 });
      await watched();
      assert.equal((await countStates(db)).fine, MANY + 1);
      for (const leave of [{ enabled: false }, { enabled: true, name: 'bureau' }]) {
        await change('office', leave);
        await watched();
        assert.equal((await countStates(db)).dead, MANY);
        await change('office', { enabled: true });
        await change('bureau', { name: 'office' });
        await watched();
        assert.equal((await countStates(db)).fine, MANY + 1);
      }
      await db('mail_aliases').where({ name: 'office' }).delete();
      await watched();
      assert.equal((await countStates(db)).dead, MANY);
    });

    it('are right at the end of a chain longer than what one save follows', async () => {
      const links = Array.from({ length: 60 }, (_, index) => index);
      for (const link of links) await insert(`link${link}`, [`link${link + 1}`]);
      await watched();
      assert.equal((await countStates(db)).dead, links.length);
      await insert(`link${links.length}`, ['alice']);
      await watched();
      assert.equal((await countStates(db)).fine, links.length + 1);
    });

    it('are right where the way leads by an alias for unknown recipients', async () => {
      await insert('start', [`ghost@${HOME}`]);
      await insert(`@${HOME}`, ['office']);
      await insert('office', ['alice']);
      await watched();
      await change('office', { targets: ['nobody'] });
      await watched();
      assert.equal((await recorded()).get('start'), STATE_RANKS.loop);
      await db('mail_aliases').where({ name: 'office' }).delete();
      await insert('office', ['bob']);
      await watched();
      assert.equal((await recorded()).get('start'), STATE_RANKS.fine);
    });

    it('are right where an extension travels along to the alias that is saved', async () => {
      await insert('sales', ['office']);
      await insert('start', ['sales+shop']);
      await insert('office', ['alice']);
      await watched();
      await insert('office+shop', ['nobody']);
      await watched();
      assert.equal((await recorded()).get('start'), STATE_RANKS.dead);
    });

    it('are all looked at again after the update that follows more of them', async () => {
      await db.raw('drop schema public cascade');
      await db.raw('create schema public');
      const older = migrations.filter(({ name }) => name < '015');
      await runMigrations(db, { ...mailSchema, migrations: older });
      await insert('start', [`ghost@${HOME}`]);
      await insert(`@${HOME}`, ['office']);
      await insert('office', ['nobody']);
      await db('mail_alias_index').update({ state: STATE_RANKS.fine });
      await db('mail_alias_work').update({ sweep: null });
      await migrateMail(db);
      await watched();
      const { loop } = await countStates(db);
      assert.equal(loop, 3);
    });

    it('do not come into doubt by a note, nor by what is switched off', async () => {
      await insert('start', ['office']);
      await insert('office', ['nobody']);
      await watched();
      const before = await recorded();
      await change('office', { note: 'new' });
      await insert('nobody', ['alice'], false);
      await change('nobody', { targets: ['bob'] });
      await db('mail_aliases').where({ name: 'nobody' }).delete();
      assert.deepEqual(await recorded(), before);
    });

    it('are not recorded as they were judged before somebody saved', async () => {
      await watched();
      await insert('start', ['office']);
      lookUp = async (names) => {
        if (!names.includes(`office@${HOME}`)) return;
        lookUp = () => Promise.resolve();
        await insert('office', ['alice']);
      };
      await watched();
      assert.equal((await recorded()).get('start'), STATE_RANKS.fine);
    });

    it('are looked at from the first on when somebody saves while the first are', async () => {
      await manyTo('office');
      let looks = 0;
      lookUp = async (names) => {
        if (!names.includes(`office@${HOME}`)) return;
        looks += 1;
        if (looks === 1) await insert('office', ['alice']);
      };
      await watched();
      assert.equal((await countStates(db)).fine, MANY + 1);
    });
  });
}
