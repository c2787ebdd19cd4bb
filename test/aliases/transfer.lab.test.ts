/** A file with aliases, read, shown and saved on both databases; what goes to the helper, and what is put back. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Knex } from 'knex';
import { aliasesSource } from '../../lib/aliases/source.js';
import { updateAlias } from '../../lib/aliases/store.js';
import { createAliasTransfer, type AliasTransfer } from '../../lib/aliases/transfer.js';
import { aliasesIn } from '../../lib/aliases/world.js';
import { createChanges, type Changes } from '../../lib/changes/service.js';
import { ConflictError, HelperError, UserError, type HelperFailure } from '../../lib/errors.js';
import { engines, type Databases } from '../support/databases.js';
import { silentLog } from '../support/log.js';
import { entriesSent } from '../support/contents-items.js';

/** More than are read, written, or sent at once. */
const MANY = 2_300;
const LIMIT_MS = 120_000;

for (const [engine, startEngine] of Object.entries(engines)) {
  describe(`a file with aliases on ${engine}`, () => {
    let databases: Databases;
    let db: Knex;
    let changes: Changes;
    let transfer: AliasTransfer;
    let failure: HelperFailure | null;
    /** What crossed with the last `apply`. */
    let sent: Map<string, unknown>;
    let base: string | null;

    before(async () => {
      databases = await startEngine();
    });
    after(() => databases.stop());
    beforeEach(async () => {
      db = await databases.fresh();
      failure = null;
      changes = createChanges({ db, helper, sources: [aliasesSource], log: silentLog });
      const now = (reader: Knex) =>
        Promise.resolve({
          ...{ isLocal: (domain: string) => domain === 'example.org', domains: ['example.org'] },
          ...{ delimiters: '+', home: 'example.org', unknownToAdmin: false },
          ...{ users: new Set(['alice', 'bob', 'root']), addresses: new Set<string>() },
          people: new Set(['alice', 'bob']),
          ...{ system: new Map(), aliases: aliasesIn(reader) },
        });
      const worlds = {
        ...{ now, lately: now, systemAliases: () => Promise.resolve([]) },
        ...{ systemUnread: () => false, readSystem: () => Promise.resolve(0) },
        machine: () => Promise.resolve({ view: null, failure: null }),
      };
      transfer = createAliasTransfer({ db, changes, worlds, log: silentLog });
    });

    const helper = {
      request: async (
        action: string,
        params: Readonly<Record<string, unknown>>,
        { input }: { input?: AsyncIterable<unknown> | Iterable<unknown> },
      ): Promise<unknown> => {
        if (action !== 'apply') {
          if (failure?.stage === 'run') throw new HelperError(failure);
          return null;
        }
        const announced = params['contents'] as Record<string, { base: string | null }> | undefined;
        base = announced?.['aliases']?.base ?? null;
        sent = new Map();
        for await (const item of input ?? []) {
          for (const [key, entry] of entriesSent([item])) {
            assert.ok(!sent.has(key), `${key} crosses twice`);
            sent.set(key, entry);
          }
        }
        if (failure !== null) throw new HelperError(failure);
        return {
          ...{ status: 'applied', parameters: [], files: [], activation: 'none', proof: [] },
          ...{ timing: {}, contents: { aliases: String(sent.size).padStart(64, 'a') } },
        };
      },
    };

    const nameOf = (n: number): string => `person.${n}@example.org`;
    const fileOf = (count: number, target: (n: number) => string): Buffer =>
      Buffer.from(Array.from({ length: count }, (_, n) => `${nameOf(n)},${target(n)}`).join('\n'));
    const read = async (bytes: Buffer): Promise<string> => {
      const id = await transfer.begin(bytes, 'ann');
      await transfer.settled(id, LIMIT_MS);
      return id;
    };
    const save = async (id: string) => {
      await transfer.apply(id, 'ann');
      await transfer.settled(id, LIMIT_MS);
      return transfer.preview(id);
    };

    it('is saved whole, crosses as what it changes, and is taken back whole', async () => {
      const first = await save(await read(fileOf(MANY, () => 'alice')));
      assert.equal(first.found.state, 'done');
      assert.equal(base, null);
      assert.equal(sent.size, MANY);

      const text = fileOf(MANY + 1, (n) => (n % 2 === 0 ? 'bob' : 'alice'));
      const id = await read(text);
      const { counts } = await transfer.preview(id);
      const changed = MANY / 2;
      assert.deepEqual(counts, { new: 1, changed, same: changed, wrong: 0, doubtful: 0 });
      const second = await save(id);
      assert.equal(second.found.state, 'done');
      assert.notEqual(base, null);
      assert.equal(sent.size, changed + 1);
      assert.deepEqual(sent.get(nameOf(2)), ['bob']);
      assert.equal(sent.has(nameOf(1)), false);

      const change = await changes.get(second.found.change ?? '');
      assert.equal(change.rowCount, changed + 1);
      await changes.save(changes.undo([change], { actor: 'ann' }));
      assert.equal(sent.get(nameOf(MANY)), null);
      assert.deepEqual(sent.get(nameOf(2)), ['alice']);
      const rows = await db('mail_aliases').select<{ targets: string[] }[]>('targets');
      assert.equal(rows.length, MANY);
      assert.ok(rows.every(({ targets }) => targets.join() === 'alice'));
    });

    it('is taken back page by page where its rows are too many to be held', async () => {
      const first = await save(await read(fileOf(MANY, () => 'alice')));
      const fresh = { ...(await changes.glance(first.found.change ?? '')), rowCount: 100_000 };
      assert.ok(await changes.undoPages(fresh, 'ann'));
      const before = await db('mail_aliases').orderBy('name').select('name', 'targets', 'note');
      const { found } = await save(await read(fileOf(MANY + 700, () => 'bob')));
      const change = await changes.glance(found.change ?? '');
      assert.equal(await changes.undoPages(change, 'ann'), null);
      const large = { ...change, rowCount: 100_000 };
      const undo = (await changes.undoPages(large, 'ann')) ?? assert.fail();
      let held = 0;
      const back = await changes.savePages({
        ...undo,
        writePages: async function* (trx) {
          for await (const page of undo.writePages(trx)) {
            held = Math.max(held, page.length);
            yield page;
          }
        },
      });
      assert.ok(held > 0 && held < MANY, String(held));
      assert.equal(sent.size, MANY + 700);
      assert.equal(sent.get(nameOf(MANY + 1)), null);
      assert.deepEqual(sent.get(nameOf(2)), ['alice']);
      const rows = await db('mail_aliases').orderBy('name').select('name', 'targets', 'note');
      assert.deepEqual(rows, before);

      const again = { ...(await changes.glance(back.id)), rowCount: 100_000 };
      await db('mail_aliases').where('name', nameOf(1)).update({ version: 1 });
      const late = (await changes.undoPages(again, 'ann')) ?? assert.fail();
      await assert.rejects(changes.savePages(late), ConflictError);
      assert.equal((await db('mail_aliases')).length, MANY);
    });

    it('is taken back as a whole where a name went from one alias to another', async () => {
      const insert = await db('mail_aliases')
        .insert([
          { name: 'one', targets: ['alice'], updated_by: 'ann' },
          { name: 'two', targets: ['bob'], updated_by: 'ann' },
        ])
        .returning<{ id: string; version: number }[]>(['id', 'version']);
      const [one, two] = insert.map(({ id, version }) => ({ id, version }));
      assert.ok(one && two);
      const values = (name: string) => ({ name, targets: ['carol'], note: '', enabled: true });
      const change = await changes.save({
        ...{ sections: ['aliases'], title: { key: 'aliases.change.edited', values: {} } },
        actor: 'ann',
        write: async (trx) => [
          ...(await updateAlias(trx, one, values('three'), 'ann')),
          ...(await updateAlias(trx, two, values('one'), 'ann')),
        ],
      });
      const large = { ...(await changes.glance(change.id)), rowCount: 100_000 };
      assert.equal(await changes.undoPages(large, 'ann'), null);
    });

    it('that the helper refuses leaves every alias as it was', async () => {
      await save(await read(fileOf(MANY, () => 'alice')));
      const rows = await db('mail_aliases').orderBy('id');
      const values = { address: nameOf(1) };
      failure = {
        stage: 'prove',
        key: 'helper.proof.recipient',
        values,
        detail: '',
        restored: true,
      };
      const { found } = await save(await read(fileOf(MANY + 700, () => 'bob')));
      assert.equal(found.state, 'refused');
      assert.deepEqual(found.failure?.problems, [{ key: failure.key, values }]);
      assert.deepEqual(await db('mail_aliases').orderBy('id'), rows);
    });

    it('whose end nobody knows is brought to it, sent whole where its rows are too many to be held', async () => {
      const values = {};
      failure = { stage: 'run', key: 'helper.connect.cut', values, detail: '', restored: false };
      const { found } = await save(await read(fileOf(MANY, () => 'alice')));
      assert.equal(found.failure?.problems[0]?.key, 'helper.unsettled');
      await db('mail_changes').where('state', 'applying').update({ row_count: 100_000 });
      failure = null;
      const { settled } = await changes.recover();
      assert.equal(settled?.state, 'applied');
      assert.deepEqual(settled.rows, []);
      assert.equal(base, null);
      assert.equal(sent.size, MANY);
    });

    it('without notes and states takes no note away and switches nothing on', async () => {
      await save(
        await read(Buffer.from('name,targets,note,enabled\na,alice,mine,no\nb,alice,,yes\n')),
      );
      const id = await read(Buffer.from('name,targets\na,bob\nb,alice\nc,bob\n'));
      const { counts } = await transfer.preview(id);
      assert.deepEqual(counts, { new: 1, changed: 1, same: 1, wrong: 0, doubtful: 0 });
      await save(id);
      const row = await db('mail_aliases').where({ name: 'a' }).first<Record<string, unknown>>();
      const { targets, note, enabled } = row;
      assert.deepEqual([targets, note, enabled], [['bob'], 'mine', false]);
    });

    it('in which something is wrong is not saved at all', async () => {
      const text = [
        'name,targets',
        'sales,alice',
        'one,two',
        'two,one',
        'sales,bob',
        '@foreign.example,bob',
        'gone,ghost',
        'alice,bob',
      ].join('\n');
      const id = await read(Buffer.from(text));
      const { counts, wrong, doubtful } = await transfer.preview(id);
      assert.deepEqual(counts, { new: 3, changed: 0, same: 0, wrong: 4, doubtful: 2 });
      assert.deepEqual(
        wrong.map(({ line, reason }) => [line, reason]),
        [
          [3, 'loop'],
          [4, 'loop'],
          [5, 'repeated'],
          [6, 'catchAllForeign'],
        ],
      );
      assert.deepEqual(
        doubtful.map(({ line, reason, value }) => [line, reason, value]),
        [
          [7, 'dead', 'ghost@example.org'],
          [8, 'hides', 'alice'],
        ],
      );
      await assert.rejects(transfer.apply(id, 'ann'), UserError);
      assert.deepEqual(await db('mail_aliases'), []);
    });

    it('is not saved over what somebody else saved meanwhile', async () => {
      await save(await read(fileOf(3, () => 'alice')));
      const id = await read(fileOf(4, () => 'bob'));
      await db('mail_aliases')
        .where('name', nameOf(1))
        .update({ version: db.raw(`nextval('mail_versions')`) });
      const { found } = await save(id);
      assert.equal(found.state, 'refused');
      assert.equal(found.failure?.problems[0]?.key, 'aliases.import.meanwhile');
      const rows = await db('mail_aliases').select<{ targets: string[] }[]>('targets');
      assert.ok(rows.length === 3 && rows.every(({ targets }) => targets.join() === 'alice'));
    });
  });
}
