import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Knex } from 'knex';
import type { Intent, IntentHead } from '../../lib/changes/change.js';
import { createChanges, type Changes } from '../../lib/changes/service.js';
import { addDomains, readDomains, removeDomain } from '../../lib/domains/store.js';
import { ConflictError, HelperError, UserError } from '../../lib/errors.js';
import { readSettings } from '../../lib/settings/store.js';
import { engines } from '../support/databases.js';
import type { FakeHelper } from '../support/fake-helper.js';
import { freshChanges } from '../support/fresh-changes.js';
import { saveBase, saveDomains, testSources } from '../support/intents.js';
import { silentLog } from '../support/log.js';

function headOf({ sections, title, actor }: Intent): IntentHead {
  return { sections, title, actor };
}

for (const [name, start] of Object.entries(engines)) {
  describe(`saving on ${name}`, () => {
    const anew = freshChanges(start);
    let db: Knex;
    let helper: FakeHelper;
    let changes: Changes;
    beforeEach(async () => {
      ({ db, helper, changes } = await anew());
    });

    it('writes the row, has it applied and notes who did what', async () => {
      const change = await changes.save(saveBase('mail.example.org', 0));

      assert.equal(change.state, 'applied');
      assert.equal(change.actor, 'anna');
      assert.deepEqual(helper.system, { base: { mailServerName: 'mail.example.org' } });
      const saved = await readSettings(db, 'base');
      assert.deepEqual(saved?.settings, { mailServerName: 'mail.example.org' });
      const [row] = change.rows;
      assert.equal(change.rows.length, 1);
      assert.equal(row?.before, null);
      assert.deepEqual(row?.after?.value, { mailServerName: 'mail.example.org' });
      assert.deepEqual(await changes.get(change.id), change);
    });

    it('refuses a stale form with both versions and writes nothing', async () => {
      await changes.save(saveBase('first.example', 0));
      const { version } = (await readSettings(db, 'base'))!;
      await changes.save(saveBase('second.example', version, 'bernd'));

      await assert.rejects(changes.save(saveBase('third.example', version)), (error) => {
        assert.ok(error instanceof ConflictError);
        assert.deepEqual(error.theirs, { mailServerName: 'second.example' });
        assert.equal(error.by?.login, 'bernd');
        return true;
      });
      assert.deepEqual((await changes.history()).changes.length, 2);
      assert.deepEqual(helper.system, { base: { mailServerName: 'second.example' } });
    });

    it('refuses a first save when somebody saved meanwhile', async () => {
      await changes.save(saveBase('first.example', 0));
      await assert.rejects(changes.save(saveBase('second.example', 0)), ConflictError);
    });

    it('puts the row back exactly as it was when the helper refuses', async () => {
      await changes.save(saveBase('first.example', 0));
      const [untouched] = await db('mail_settings').select<{ version: number }[]>();
      assert.ok(untouched);
      helper.mishaps.push({ refuse: { stage: 'check', key: 'helper.check.x', detail: 'a\0b' } });

      await assert.rejects(
        changes.save(saveBase('second.example', untouched.version)),
        (error) => error instanceof HelperError && error.key === 'helper.check.x',
      );
      assert.deepEqual(await db('mail_settings'), [untouched]);
      const { changes: list } = await changes.history();
      assert.equal(list[0]?.state, 'refused');
      assert.equal(list[0]?.failure?.key, 'helper.check.x');
      assert.equal(list[0]?.failure?.detail, 'a\uFFFDb');
    });

    it('never gives a row the version of a form made from refused settings', async () => {
      await changes.save(saveBase('first.example', 0));
      const before = (await readSettings(db, 'base'))!.version;
      let seen = 0;
      helper.mishaps.push({ refuse: {} });
      helper.during = async () => {
        seen = (await readSettings(db, 'base'))!.version;
      };
      await assert.rejects(changes.save(saveBase('second.example', before)));
      helper.during = () => undefined;
      await changes.save(saveBase('third.example', before));

      await assert.rejects(changes.save(saveBase('fourth.example', seen)), ConflictError);
    });

    it('puts inserted and removed rows back', async () => {
      await changes.save(saveDomains(['a.example', 'b.example']));
      const rows = await db('mail_domains').orderBy('id');
      const first = (await readDomains(db))![0]!;
      helper.mishaps.push({ refuse: {} });
      await assert.rejects(
        changes.save({
          ...saveDomains([]),
          write: async (trx) => [
            ...(await removeDomain(trx, first)),
            ...(await addDomains(trx, ['a.example', 'c.example'], 'anna')),
          ],
        }),
        HelperError,
      );
      assert.deepEqual(await db('mail_domains').orderBy('id'), rows);
    });

    it('takes rows page by page, and keeps them whole and in their order', async () => {
      const change = await changes.savePages({
        ...headOf(saveDomains([])),
        async *writePages(trx) {
          yield await addDomains(trx, ['a.example', 'b.example'], 'anna');
          yield await addDomains(trx, ['c.example'], 'anna');
        },
      });
      const kept = await changes.get(change.id);
      assert.equal(kept.rowCount, kept.rows.length);
      const names = ['a.example', 'b.example', 'c.example'];
      assert.deepEqual(
        kept.rows.filter(({ table }) => table === 'mail_domains').map(({ after }) => after?.name),
        names,
      );
      const first = await changes.get(change.id, 2);
      assert.deepEqual(first, { ...kept, rows: kept.rows.slice(0, 2) });
      assert.deepEqual(helper.system, { domains: { names } });
    });

    it('puts rows written page by page back, more of them than one page of the record has', async () => {
      await changes.save(saveDomains(['a.example', 'b.example']));
      const rows = await db('mail_domains').orderBy('id');
      const first = (await readDomains(db))![0]!;
      helper.mishaps.push({ refuse: {} });
      const more = Array.from({ length: 700 }, (_, n) => `n${n}.example`);
      await assert.rejects(
        changes.savePages({
          ...headOf(saveDomains([])),
          async *writePages(trx) {
            yield await addDomains(trx, more, 'anna');
            yield await removeDomain(trx, first);
            yield await addDomains(
              trx,
              more.map((name) => `more-${name}`),
              'anna',
            );
          },
        }),
        HelperError,
      );
      assert.deepEqual(await db('mail_domains').orderBy('id'), rows);
    });

    it('writes nothing when a later page cannot be written', async () => {
      await assert.rejects(
        changes.savePages({
          ...headOf(saveDomains([])),
          async *writePages(trx) {
            yield await addDomains(trx, ['a.example'], 'anna');
            throw new UserError({ key: 'x', values: {} });
          },
        }),
        UserError,
      );
      assert.deepEqual(await db('mail_domains'), []);
      assert.deepEqual((await changes.history()).changes, []);
    });

    it('saves 50 changes at once: none lost, none mixed, each one applied as it was written', async () => {
      const names = Array.from({ length: 50 }, (_, index) => `d${index}.example`);
      await Promise.all(names.map((domain) => changes.save(saveDomains([domain], domain))));

      const found = (await readDomains(db))!.map((row) => row.name);
      assert.deepEqual(found, names.toSorted());
      assert.deepEqual(helper.system, { domains: { names: names.toSorted() } });
      const numbers = helper.applied().map(({ change }) => change);
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      );
      for (const { change, sections } of helper.applied()) {
        const { names: sent } = sections.domains as { names: string[] };
        assert.equal(sent.length, numbers.indexOf(change) + 1);
      }
      const { changes: list } = await changes.history({}, { limit: 100 });
      for (const change of list) {
        const { rows } = await changes.get(change.id);
        const added = rows.find(({ table }) => table === 'mail_domains');
        assert.equal(added?.after?.name, change.actor);
      }
    });

    it('holds no transaction while the helper works', async () => {
      let readable = false;
      helper.during = async () => {
        readable = (await readSettings(db, 'base')) !== null;
      };
      await changes.save(saveBase('first.example', 0));
      assert.equal(readable, true);
    });

    it('previews without writing anything anywhere', async () => {
      await changes.save(saveBase('first.example', 0));
      const { version } = (await readSettings(db, 'base'))!;
      const { rows, result } = await changes.preview(saveBase('second.example', version));

      assert.equal(result.status, 'preview');
      assert.deepEqual(rows[0]?.after?.value, { mailServerName: 'second.example' });
      assert.deepEqual(helper.system, { base: { mailServerName: 'first.example' } });
      assert.equal((await changes.history()).changes.length, 1);
      assert.equal((await readSettings(db, 'base'))?.version, version);
    });

    it('says why a machine without helper cannot save, and writes nothing', async () => {
      const alone = createChanges({ db, helper: null, sources: testSources, log: silentLog });
      await assert.rejects(
        alone.save(saveBase('first.example', 0)),
        (error) => error instanceof HelperError && error.unreachable,
      );
      assert.equal(await readSettings(db, 'base'), null);
    });
  });
}
