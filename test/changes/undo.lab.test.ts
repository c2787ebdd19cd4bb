import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Knex } from 'knex';
import { insertRows, updateRow, updateRows } from '../../lib/changes/rows.js';
import { createChanges, type Changes } from '../../lib/changes/service.js';
import { domainsSource } from '../../lib/domains/source.js';
import { addDomains, readDomains, removeDomain } from '../../lib/domains/store.js';
import { ConflictError, UserError } from '../../lib/errors.js';
import { readSettings } from '../../lib/settings/store.js';
import { engines } from '../support/databases.js';
import type { FakeHelper } from '../support/fake-helper.js';
import { freshChanges } from '../support/fresh-changes.js';
import {
  saveBase,
  saveDomains,
  saveRelay,
  testSources,
  type RelaySettings,
} from '../support/intents.js';
import { silentLog } from '../support/log.js';

for (const [name, start] of Object.entries(engines)) {
  describe(`undo and history on ${name}`, () => {
    const anew = freshChanges(start);
    let db: Knex;
    let helper: FakeHelper;
    let changes: Changes;
    beforeEach(async () => {
      ({ db, helper, changes } = await anew());
    });

    async function versionOf(section: string): Promise<number> {
      return (await readSettings(db, section))?.version ?? 0;
    }

    async function setBase(domain: string) {
      return changes.save(saveBase(domain, await versionOf('base')));
    }

    async function setRelay(settings: RelaySettings) {
      return changes.save(saveRelay(settings, await versionOf('relay')));
    }

    it('takes a change back with a new change that names it', async () => {
      await setBase('first.example');
      const change = await setBase('second.example');
      const undone = await changes.save(changes.undo([change], { actor: 'bernd' }));

      assert.equal(undone.undoes, change.id);
      assert.equal(undone.actor, 'bernd');
      assert.deepEqual(helper.system.base, { mailServerName: 'first.example' });
    });

    it('takes an undo back as well', async () => {
      await setBase('first.example');
      const change = await setBase('second.example');
      const undone = await changes.save(changes.undo([change], { actor: 'anna' }));
      await changes.save(changes.undo([undone], { actor: 'anna' }));
      assert.deepEqual(helper.system.base, { mailServerName: 'second.example' });
    });

    it('refuses when the row was changed since', async () => {
      await setBase('first.example');
      const change = await setBase('second.example');
      await setBase('third.example');
      await assert.rejects(
        changes.save(changes.undo([change], { actor: 'anna' })),
        (error) =>
          error instanceof ConflictError &&
          JSON.stringify(error.theirs).includes('third.example') &&
          error.by?.login === 'anna',
      );
      assert.deepEqual(helper.system.base, { mailServerName: 'third.example' });
    });

    it('brings a removed row back under its old id, and removes an added one', async () => {
      await changes.save(saveDomains(['a.example', 'b.example']));
      const first = (await readDomains(db))![0]!;
      const change = await changes.save({
        ...saveDomains(['c.example']),
        write: async (trx) => [
          ...(await removeDomain(trx, first)),
          ...(await saveDomains(['c.example']).write(trx)),
        ],
      });
      await changes.save(changes.undo([change], { actor: 'anna' }));
      const found = (await readDomains(db))!.map((row) => [row.id, row.name]);
      assert.deepEqual(found, [
        [first.id, 'a.example'],
        ['2', 'b.example'],
      ]);
    });

    it('takes back very many rows at once, all of them or none', async () => {
      await changes.save(saveDomains(['first.example']));
      const names = Array.from({ length: 1_100 }, (_, n) => `n${n}.example`);
      const change = await changes.save(saveDomains(names));
      const other = await changes.save(saveDomains(['other.example']));
      const gone = (await readDomains(db))!.find(({ name }) => name === 'n700.example')!;
      const removed = await changes.save({
        ...saveDomains([]),
        write: (trx) => removeDomain(trx, gone),
      });
      await assert.rejects(changes.save(changes.undo([change], { actor: 'anna' })), ConflictError);
      assert.equal((await readDomains(db))!.length, 1_101);
      await changes.save(changes.undo([removed, other, change], { actor: 'anna' }));
      assert.deepEqual(
        (await readDomains(db))!.map((row) => row.name),
        ['first.example'],
      );
    });

    it('takes back names that went from one row to another', async () => {
      await changes.save(saveDomains(['a.example', 'b.example']));
      const rename = async (id: string, to: string) => {
        const row = (await readDomains(db))!.find((one) => one.id === id)!;
        const write = (trx: Knex.Transaction) =>
          updateRow(trx, 'mail_domains', row, { name: to }, { actor: 'anna' });
        return changes.save({ ...saveDomains([]), write });
      };
      const since = [await rename('1', 'c.example')];
      since.unshift(await rename('2', 'a.example'));
      await changes.save(changes.undo(since, { actor: 'anna' }));
      const found = (await readDomains(db))!.map((row) => [row.id, row.name]);
      assert.deepEqual(found, [
        ['1', 'a.example'],
        ['2', 'b.example'],
      ]);
    });

    it('refuses when another row has the name by now', async () => {
      await changes.save(saveDomains(['a.example', 'b.example']));
      const first = (await readDomains(db))![0]!;
      const write = (trx: Knex.Transaction) => removeDomain(trx, first);
      const removed = await changes.save({ ...saveDomains([]), write });
      await changes.save(saveDomains([first.name]));
      await assert.rejects(changes.save(changes.undo([removed], { actor: 'anna' })), ConflictError);
      assert.equal((await changes.history()).changes.length, 3);
    });

    it('gives each row back what is known of it, where an upgrade added a column', async () => {
      const table = 'mail_relay_networks';
      const tables = { [table]: { secrets: [] } };
      const source = { ...domainsSource, section: 'networks', tables };
      changes = createChanges({ db, helper, sources: [...testSources, source], log: silentLog });
      const actor = { actor: 'anna' };
      const networks = ['192.0.2.0/25', '192.0.2.128/25'];
      const noted = networks.map((network) => ({ network, note: 'first' }));
      const made = await changes.save({
        ...saveDomains(['a.example']),
        write: async (trx) => [
          ...(await addDomains(trx, ['a.example'], 'anna')),
          ...(await insertRows(trx, table, noted, actor)),
        ],
      });
      const keys = made.rows
        .filter((row) => row.table === table)
        .map(({ id, after }) => ({ id, version: Number(after?.version) }));
      const change = await changes.save({
        ...saveDomains([]),
        write: (trx) => updateRows(trx, table, keys, { note: 'second' }, actor),
      });

      const [recent, older] = change.rows;
      const { network } = older!.before!;
      const rows = [recent!, { ...older!, before: { network } }];
      await changes.save(changes.undo([{ ...change, rows }], actor));
      const noteOf = (id: string) => db(table).where({ id }).first<{ note: string }>('note');
      assert.equal((await noteOf(recent!.id)).note, 'first');
      assert.equal((await noteOf(older!.id)).note, 'second');
    });

    it('goes back over everything since a change, in one change', async () => {
      await setBase('first.example');
      await changes.save(saveDomains(['a.example']));
      const since = [await setBase('second.example')];
      since.unshift(await changes.save(saveDomains(['b.example'])));
      since.unshift(await setBase('third.example'));
      const undone = await changes.save(changes.undo(since, { actor: 'anna' }));

      assert.deepEqual([...undone.sections].sort(), ['base', 'domains']);
      assert.deepEqual(helper.system, {
        base: { mailServerName: 'first.example' },
        domains: { names: ['a.example'] },
      });
    });

    it('says that before the first save there is nothing to go back to', async () => {
      const change = await setBase('first.example');
      await assert.rejects(
        changes.save(changes.undo([change], { actor: 'anna' })),
        (error) =>
          error instanceof UserError && error.problems[0]?.key === 'changes.error.nothingBefore',
      );
      assert.deepEqual((await readSettings(db, 'base'))?.settings, {
        mailServerName: 'first.example',
      });
    });

    it('cannot take back what was refused', async () => {
      helper.mishaps.push({ refuse: {} });
      await assert.rejects(setBase('first.example'));
      const [refused] = (await changes.history()).changes;
      const change = await changes.get(refused!.id);
      assert.throws(() => changes.undo([change], { actor: 'anna' }), UserError);
    });

    it('keeps a password that the change did not touch', async () => {
      await setRelay({ host: 'a.example', note: 'one', password: 'BOX-ONE' });
      const change = await setRelay({ host: 'a.example', note: 'two', password: 'BOX-ONE' });
      assert.deepEqual(changes.undoQuestions([change]), []);
      await changes.save(changes.undo([change], { actor: 'anna' }));
      assert.deepEqual(helper.system.relay, {
        host: 'a.example',
        note: 'one',
        password: 'BOX-ONE',
      });
    });

    for (const [what, after] of Object.entries({
      'was replaced': { host: 'a.example', password: 'BOX-TWO' },
      'was removed': { host: 'a.example', password: null },
      'would go to another server': { host: 'b.example', password: 'BOX-ONE' },
    })) {
      it(`asks anew for a password that ${what}`, async () => {
        await setRelay({ host: 'a.example', password: 'BOX-ONE' });
        const change = await setRelay(after);
        const [question, ...others] = changes.undoQuestions([change]);
        assert.deepEqual(others, []);
        assert.equal(question?.path, 'value.password');
        assert.equal((question?.row.value as RelaySettings).host, 'a.example');

        await assert.rejects(
          changes.save(changes.undo([change], { actor: 'anna' })),
          (error) => error instanceof UserError && error.problems[0]?.field === question?.field,
        );
        assert.deepEqual(helper.system.relay, after);

        const secrets = { [question.field]: 'BOX-NEW' };
        await changes.save(changes.undo([change], { actor: 'anna', secrets }));
        assert.deepEqual(helper.system.relay, { host: 'a.example', password: 'BOX-NEW' });
      });
    }

    it('removes a password again without asking for one', async () => {
      await setRelay({ host: 'a.example', password: null });
      const change = await setRelay({ host: 'a.example', password: 'BOX-ONE' });
      await changes.save(changes.undo([change], { actor: 'anna' }));
      assert.deepEqual(helper.system.relay, { host: 'a.example', password: null });
    });

    it('shows secrets in the history as set, none or changed, and nothing more', async () => {
      const added = await setRelay({ host: 'a.example', password: 'BOX-ONE' });
      const kept = await setRelay({ host: 'a.example', note: 'two', password: 'BOX-ONE' });
      const replaced = await setRelay({ host: 'a.example', note: 'two', password: 'BOX-TWO' });
      const removed = await setRelay({ host: 'a.example', note: 'two', password: null });

      const seen = [added, kept, replaced, removed].map(({ rows }) => [
        (rows[0]?.before?.value as { password?: object } | undefined)?.password,
        (rows[0]?.after?.value as { password: object }).password,
      ]);
      assert.deepEqual(seen, [
        [undefined, { secret: 'set' }],
        [{ secret: 'set' }, { secret: 'set' }],
        [{ secret: 'set' }, { secret: 'changed' }],
        [{ secret: 'set' }, { secret: 'none' }],
      ]);
      assert.doesNotMatch(JSON.stringify([added, kept, replaced, removed]), /BOX-/);
    });

    it('lists the history newest first, by page, section, person and state', async () => {
      await setBase('a.example');
      await changes.save(saveDomains(['a.example'], 'bernd'));
      helper.mishaps.push({ refuse: {} });
      await assert.rejects(setBase('b.example'));
      await setBase('c.example');

      const all = (await changes.history()).changes.map(({ id }) => id);
      const firstPage = await changes.history({}, { limit: 3 });
      const secondPage = await changes.history({}, { limit: 3, before: firstPage.next! });
      assert.deepEqual(
        [...firstPage.changes, ...secondPage.changes].map(({ id }) => id),
        all,
      );
      assert.equal(all.length, 4);
      assert.deepEqual(
        [...all].sort((a, b) => Number(b) - Number(a)),
        all,
      );
      assert.equal(secondPage.next, null);
      assert.equal((await changes.history({ section: 'base' })).changes.length, 3);
      assert.equal((await changes.history({ actor: 'bernd' })).changes.length, 1);
      assert.equal((await changes.history({ state: 'refused' })).changes.length, 1);
    });

    for (const id of ['0', '99', 'x', '1; drop table mail_changes', '999999999999999999999']) {
      it(`knows no change ${id}`, async () => {
        await assert.rejects(changes.get(id), { name: 'NotFoundError' });
      });
    }
  });
}
