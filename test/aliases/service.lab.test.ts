/** The rules of the aliases on both databases: many at once, somebody faster, and the index that the database keeps. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Knex } from 'knex';
import {
  createAliasesService,
  DoubtError,
  type AliasesService,
} from '../../lib/aliases/service.js';
import { aliasesSource } from '../../lib/aliases/source.js';
import type { StateFilter } from '../../lib/aliases/states.js';
import type { AliasValues } from '../../lib/aliases/store.js';
import { createAliasWatch } from '../../lib/aliases/watch.js';
import { aliasesIn, type Worlds } from '../../lib/aliases/world.js';
import { parseAliasValue } from '../../lib/aliases/local.js';
import { createChanges, type Changes } from '../../lib/changes/service.js';
import { ConflictError, NotFoundError, UserError } from '../../lib/errors.js';
import { engines, type Databases } from '../support/databases.js';
import { silentLog } from '../support/log.js';

/** A helper that takes everything. */
const helper = {
  request: (action: string, params: Readonly<Record<string, unknown>>, options: object) =>
    answerOf(action, params, options),
};

async function answerOf(
  action: string,
  params: Readonly<Record<string, unknown>>,
  { input }: { input?: AsyncIterable<unknown> },
): Promise<unknown> {
  if (action !== 'apply') return null;
  if (input) for await (const item of input) assert.ok(item);
  const digest = 'a'.repeat(64);
  return {
    ...{ status: 'applied', parameters: [], files: [], activation: 'none', proof: [] },
    ...{ timing: {}, contents: params['contents'] ? { aliases: digest } : {} },
  };
}

for (const [engine, startEngine] of Object.entries(engines)) {
  describe(`aliases on ${engine}`, () => {
    let databases: Databases;
    let db: Knex;
    let changes: Changes;
    let service: AliasesService;
    let users: string[];
    let unknownToAdmin: boolean;
    let locals: string[];
    let worlds: Worlds;

    before(async () => {
      databases = await startEngine();
    });
    after(() => databases.stop());
    beforeEach(async () => {
      db = await databases.fresh();
      users = ['alice', 'bob', 'carol', 'root'];
      unknownToAdmin = false;
      locals = ['example.org'];
      worlds = {
        machine: () => Promise.resolve({ view: null, failure: null }),
        systemAliases: () => Promise.resolve([{ name: 'postmaster', value: 'root' }]),
        systemUnread: () => false,
        readSystem: () => Promise.resolve(0),
        lately: (reader) => worlds.now(reader),
        now: (reader) =>
          Promise.resolve({
            isLocal: (domain) => locals.includes(domain),
            domains: locals,
            delimiters: '+',
            home: 'example.org',
            users: new Set(users),
            people: new Set(users),
            addresses: new Set<string>(),
            unknownToAdmin,
            system: new Map([['postmaster', parseAliasValue('root')]]),
            aliases: aliasesIn(reader),
          }),
      };
      changes = createChanges({ db, helper, sources: [aliasesSource], log: silentLog });
      const queriesFor = () => Promise.resolve([]);
      service = createAliasesService({ db, changes, worlds, queriesFor });
    });

    const values = (name: string, ...targets: string[]): AliasValues => {
      return { name, targets, note: '', enabled: true };
    };
    const add = async (name: string, ...targets: string[]) => {
      await service.save(null, values(name, ...targets), true, 'ann');
      return (await row(name)) ?? assert.fail(name);
    };
    const row = (name: string) =>
      db('mail_aliases').where({ name }).first<{ id: string; version: number } | undefined>();
    const listed = async (state: StateFilter, search = '') => {
      const query = { search, state, sort: 'name', descending: false } as const;
      const { rows } = await service.list({ ...query, after: null, before: null, limit: 50 });
      return rows.map(({ name }) => name);
    };
    const watched = async (): Promise<void> => {
      const directory = { onChange: () => () => undefined };
      const watch = createAliasWatch({ db, worlds, directory, log: silentLog });
      await watch.look();
      await watch.close();
    };

    it('keep all of 20 that two administrators add at the same time', async () => {
      await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          service.save(null, values(`alias${n}`, 'alice'), false, n % 2 === 0 ? 'ann' : 'ben'),
        ),
      );
      const { total } = await service.list({
        ...{ search: '', state: 'all', sort: 'name', descending: false },
        ...{ after: null, before: null, limit: 50 },
      });
      assert.equal(total, 20);
      assert.equal((await db('mail_aliases')).length, 20);
    });

    it('of one name are added once, however many try', async () => {
      const tries = Array.from({ length: 5 }, () =>
        service.save(null, values('sales', 'alice'), false, 'ann').then(
          () => 'saved',
          (error: unknown) => (error instanceof UserError ? 'taken' : 'broken'),
        ),
      );
      assert.deepEqual((await Promise.all(tries)).sort(), [
        'saved',
        ...Array.from({ length: 4 }, () => 'taken'),
      ]);
    });

    it('are counted that a domain takes with it, by their names and by where they lead', async () => {
      await add('sales@example.org', 'alice');
      await add('info', 'alice@example.org', 'out@else.example');
      await add('team', 'bob@example.org');
      await add('other', 'bob@sub.example.org', 'example.org');
      const losses = await service.losses(['example.org', 'second.example']);
      assert.deepEqual(
        losses.map(({ key, values }) => [key, values['count'], values['name']]),
        [
          ['domains.loss.aliases', 1, 'sales@example.org'],
          ['domains.loss.targets', 2, 'info'],
        ],
      );
    });

    it('are not switched on where mail would go in circles then', async () => {
      await add('here', 'there');
      const off = { ...values('there', 'here'), enabled: false };
      await service.save(null, off, true, 'ann');
      const there = (await row('there')) ?? assert.fail();
      await assert.rejects(service.switchAll([there], true, 'ann'), {
        problems: [
          {
            ...{ key: 'aliases.problem.loop', field: 'targets' },
            values: { way: 'here → there → here' },
          },
        ],
      });
      assert.deepEqual(await listed('off'), ['there']);
    });

    it('that one renames while another deletes: the right row goes, or none', async () => {
      const one = await add('one', 'alice');
      await add('two', 'alice');
      const outcomes = await Promise.allSettled([
        service.save(one, values('renamed', 'alice'), false, 'ann'),
        service.removeAll([one], 'ben'),
      ]);
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
      assert.equal(refused.length, 1);
      const reason: unknown = refused[0]?.reason;
      assert.ok(reason instanceof ConflictError || reason instanceof NotFoundError, String(reason));
      const names = await listed('all');
      assert.ok(names.includes('two'), 'the other row stands');
      assert.equal(names.length, outcomes[0]?.status === 'fulfilled' ? 2 : 1);
    });

    it('are removed all or none: one stale version in many keeps them all', async () => {
      const keys = [await add('one', 'alice'), await add('two', 'alice')];
      await service.save(keys[1]!, values('two', 'bob'), false, 'ben');
      await assert.rejects(service.removeAll(keys, 'ann'), ConflictError);
      await assert.rejects(service.switchAll(keys, false, 'ann'), ConflictError);
      assert.deepEqual(await listed('all'), ['one', 'two']);
      assert.deepEqual(await listed('off'), []);
    });

    it('are known by those that lead to them, as Postfix follows these', async () => {
      locals = ['example.org', 'example.net'];
      const office = await add('office', 'alice');
      const exact = await add('office@example.net', 'bob');
      const caught = await add('@example.net', 'carol');
      await add('bare', 'office');
      await add('whole', 'bob', 'office@example.org');
      await add('extended', 'Office+shop@example.org');
      await add('elsewhere', 'office@far.example');
      await add('other-domain', 'office@example.net');
      await add('unknown', 'ghost@example.net');
      await add('user', 'alice@example.net');
      const off = await add('off', 'office');
      await service.switchAll([off], false, 'ann');
      const leading = async (...rows: readonly { id: string }[]) =>
        (await service.leadingTo(rows.map(({ id }) => id))).aliases;
      assert.deepEqual(await leading(office), ['bare', 'extended', 'whole']);
      assert.deepEqual(await leading(exact), ['other-domain']);
      assert.deepEqual(await leading(caught), ['unknown']);
      const all = [caught, exact, office, (await row('bare')) ?? off];
      assert.deepEqual(await leading(...all), ['extended', 'other-domain', 'unknown', 'whole']);

      await service.switchAll([office], false, 'ann');
      assert.deepEqual(await leading(office), []);
    });

    it('never leave the postmaster or root without anybody', async () => {
      const post = await add('postmaster', 'alice');
      await assert.rejects(
        service.save(post, values('postmaster', 'nobody'), true, 'ann'),
        UserError,
      );
      await assert.rejects(
        service.save(null, values('root', 'gone@example.org'), true, 'ann'),
        UserError,
      );
      users = ['alice', 'bob'];
      await assert.rejects(service.removeAll([post], 'ann'), UserError);
      await assert.rejects(service.switchAll([post], false, 'ann'), UserError);
      assert.deepEqual(await listed('all'), ['postmaster']);
    });

    it('are found by state, as soon as somebody they lead to is gone, over any number of steps', async () => {
      await add('last', 'carol');
      await add('middle', 'last', 'alice');
      await add('start', 'middle');
      await add('other', 'bob');
      await add('bob', 'alice');
      await watched();
      assert.deepEqual(await listed('trouble'), ['bob']);
      users = users.filter((login) => login !== 'carol');
      await watched();
      assert.deepEqual(await listed('dead'), ['last']);
      assert.deepEqual(await listed('partly'), ['middle', 'start']);
      await service.save(null, values('carol', 'alice'), false, 'ann');
      await watched();
      assert.deepEqual(await listed('trouble'), ['bob']);
    });

    it('are not called dead where the mail admin gets the mail of unknown recipients', async () => {
      unknownToAdmin = true;
      await assert.rejects(
        service.save(null, values('jobs', 'claire'), false, 'ann'),
        (error: unknown) =>
          error instanceof DoubtError &&
          error.doubts.map(({ key }) => key).join() === 'aliases.doubt.toAdmin',
      );
      await add('jobs', 'claire', 'alice');
      await watched();
      assert.deepEqual(await listed('trouble'), []);
      unknownToAdmin = false;
      await watched();
      assert.deepEqual(await listed('partly'), ['jobs']);
    });

    it('that come by the hundred are not looked at twice, but for the last ones', async () => {
      await watched();
      await db.raw(
        `insert into mail_aliases (name, targets, search, updated_by)
         select 'many' || n, array['alice'], 'many' || n, 'ann' from generate_series(1, 600) as n`,
      );
      let judged = 0;
      const plain = { ...worlds };
      worlds.now = async (reader) => {
        const world = await plain.now(reader);
        const aliases: typeof world.aliases = (names) => {
          judged += names.filter((name) => name === 'many1').length;
          return world.aliases(names);
        };
        return { ...world, aliases };
      };
      await watched();
      assert.equal(judged, 1);
      assert.equal((await listed('fine', 'many')).length, 50);
    });

    it('are counted by state, also after an undo', async () => {
      const keys = [await add('one', 'alice'), await add('two', 'alice')];
      await watched();
      const change = await service.removeAll(keys, 'ann');
      assert.deepEqual(await listed('all'), []);
      await changes.save(changes.undo([await changes.get(change.id)], { actor: 'ann' }));
      await watched();
      assert.deepEqual(await listed('fine'), ['one', 'two']);
    });

    it('are paged by key in every order, forwards and back', async () => {
      for (const name of ['e', 'a', 'c', 'b', 'd']) await add(name, name < 'c' ? 'bob' : 'alice');
      for (const sort of ['name', 'goes', 'state'] as const) {
        const page = async (more: object) =>
          service.list({
            ...{ search: '', state: 'all', sort, descending: false, limit: 2 },
            ...{ after: null, before: null, ...more },
          });
        const all: string[] = [];
        let after: string | null = null;
        for (let count = 0; count < 3; count += 1) {
          const { rows } = await page({ after });
          all.push(...rows.map(({ name }) => name));
          after = rows.at(-1)?.cursor ?? null;
        }
        assert.deepEqual([...all].sort(), ['a', 'b', 'c', 'd', 'e'], sort);
        const third = (await page({ after: null, limit: 3 })).rows[2]?.cursor ?? '';
        const back = await page({ before: third });
        assert.deepEqual(
          back.rows.map(({ name }) => name),
          all.slice(0, 2),
          sort,
        );
      }
    });

    it('are searched by name, target and note, and what is typed means itself', async () => {
      await service.save(null, { ...values('sales', 'alice'), note: '100% Ware_x' }, false, 'ann');
      await add('press', 'editor@outside.example');
      assert.deepEqual(await listed('all', '100% w'), ['sales']);
      assert.deepEqual(await listed('all', 'outside.ex'), ['press']);
      for (const nothing of ['100_', 'ware%x', '\\', "'; drop table mail_aliases; --"]) {
        assert.deepEqual(await listed('all', nothing), [], nothing);
      }
    });
  });
}
