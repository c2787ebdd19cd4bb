/** Settings and system that do not follow each other: somebody is asked, and nothing is saved before they have decided. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Knex } from 'knex';
import type { Changes } from '../../lib/changes/service.js';
import { HelperError } from '../../lib/errors.js';
import { readSettings } from '../../lib/settings/store.js';
import { engines } from '../support/databases.js';
import type { FakeHelper } from '../support/fake-helper.js';
import { freshChanges } from '../support/fresh-changes.js';
import { saveBase } from '../support/intents.js';

const OTHER_DATABASE = '00000000-0000-4000-8000-000000000000';

for (const [name, start] of Object.entries(engines)) {
  describe(`a divergence on ${name}`, () => {
    const anew = freshChanges(start);
    let db: Knex;
    let helper: FakeHelper;
    let changes: Changes;
    beforeEach(async () => {
      ({ db, helper, changes } = await anew());
    });

    const saved = () => readSettings<{ mailServerName: string }>(db, 'base');
    const baseVersion = async () => (await saved())?.version ?? 0;
    const storedName = async () => (await saved())?.settings.mailServerName;

    it('asks when the system remembers a higher number, and never gives that number again', async () => {
      await changes.save(saveBase('first.example', 0));
      helper.record = { ...helper.record!, change: 900 };
      helper.system.base = { mailServerName: 'later.example' };

      const { divergence } = await changes.recover();
      assert.equal(divergence?.kind, 'ahead');
      assert.equal(divergence?.systemChange, 900);
      const change = await changes.save(await changes.reapply('anna'));
      assert.ok(change.number > 900);
      assert.deepEqual(helper.system.base, { mailServerName: 'first.example' });
    });

    it('asks when the system is older than the settings', async () => {
      await changes.save(saveBase('first.example', 0));
      const early = { ...helper.record! };
      await changes.save(saveBase('second.example', await baseVersion()));
      helper.record = early;
      helper.system.base = { mailServerName: 'first.example' };

      assert.equal((await changes.recover()).divergence?.kind, 'behind');
    });

    it('asks when the system remembers nothing', async () => {
      await changes.save(saveBase('first.example', 0));
      helper.record = null;
      Reflect.deleteProperty(helper.system, 'base');

      assert.equal((await changes.recover()).divergence?.kind, 'missing');
    });

    it('asks nobody when nothing differs, and saves go on', async () => {
      await changes.save(saveBase('first.example', 0));
      helper.record = { ...helper.record!, databaseId: OTHER_DATABASE };
      assert.equal((await changes.recover()).divergence, null);

      await changes.save(saveBase('second.example', await baseVersion()));
      assert.deepEqual(helper.system.base, { mailServerName: 'second.example' });
      assert.equal(helper.applied().at(-1)?.adopt, true);
      await changes.save(saveBase('third.example', await baseVersion()));
      assert.equal(helper.applied().at(-1)?.adopt, undefined);
    });

    it('refuses to save until somebody has decided, then goes on', async () => {
      await changes.save(saveBase('first.example', 0));
      helper.record = { ...helper.record!, databaseId: OTHER_DATABASE };
      helper.system.base = { mailServerName: 'elsewhere.example' };
      await changes.recover();
      const applies = helper.applied().length;

      await assert.rejects(
        changes.save(saveBase('second.example', await baseVersion())),
        (error) => error instanceof HelperError && error.key === 'helper.diverged',
      );
      assert.equal(helper.applied().length, applies);
      assert.equal(await storedName(), 'first.example');

      const compared = await changes.compare('anna');
      assert.equal(compared.result.parameters[0]?.before, '{"mailServerName":"elsewhere.example"}');
      await changes.save(await changes.reapply('anna'));
      assert.equal(await changes.divergence(), null);
      await changes.save(saveBase('second.example', await baseVersion()));
      assert.deepEqual(helper.system.base, { mailServerName: 'second.example' });
    });

    it('ends the divergence when a comparison finds no difference any more', async () => {
      await changes.save(saveBase('first.example', 0));
      helper.record = { ...helper.record!, databaseId: OTHER_DATABASE };
      helper.system.base = { mailServerName: 'elsewhere.example' };
      await changes.recover();
      helper.system.base = { mailServerName: 'first.example' };

      await changes.compare('anna');
      assert.equal(await changes.divergence(), null);
      await changes.save(saveBase('second.example', await baseVersion()));
      assert.deepEqual(helper.system.base, { mailServerName: 'second.example' });
    });

    it('lets the first change of a new database take over what a former one left', async () => {
      helper.record = {
        databaseId: OTHER_DATABASE,
        change: 70,
        digest: '',
        at: '',
        status: 'applied',
      };
      await changes.save(saveBase('first.example', 0));
      assert.deepEqual(helper.system.base, { mailServerName: 'first.example' });
    });
  });
}
