import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Knex } from 'knex';
import type { Change } from '../../lib/changes/change.js';
import { createChanges, type Changes } from '../../lib/changes/service.js';
import { readDomains } from '../../lib/domains/store.js';
import { HelperError } from '../../lib/errors.js';
import { readSettings } from '../../lib/settings/store.js';
import { engines, type Databases } from '../support/databases.js';
import { createFakeHelper, type FakeHelper } from '../support/fake-helper.js';
import { freshChanges } from '../support/fresh-changes.js';
import { saveBase, saveDomains, saveRelay, testSources } from '../support/intents.js';
import { silentLog } from '../support/log.js';
import { dieAfterIntent } from './dead-process.js';

const OTHER_DATABASE = '00000000-0000-4000-8000-000000000000';

for (const [name, start] of Object.entries(engines)) {
  describe(`recovery on ${name}`, () => {
    const anew = freshChanges(start);
    let db: Knex;
    let helper: FakeHelper;
    let changes: Changes;
    beforeEach(async () => {
      ({ db, helper, changes } = await anew());
    });

    async function baseVersion(): Promise<number> {
      return (await readSettings(db, 'base'))?.version ?? 0;
    }

    async function storedName(): Promise<unknown> {
      const saved = await readSettings<{ mailServerName: string }>(db, 'base');
      return saved?.settings.mailServerName;
    }

    it('does nothing when nothing is unfinished', async () => {
      await changes.save(saveBase('first.example', 0));
      assert.deepEqual(await changes.recover(), {
        settled: null,
        divergence: null,
        waiting: null,
      });
      assert.equal(helper.applied().length, 1);
    });

    it('applies what a dead process had not got applied yet', async () => {
      await changes.save(saveBase('first.example', 0));
      const number = await dieAfterIntent(db, saveBase('second.example', await baseVersion()));

      const { settled, divergence } = await changes.recover();
      assert.equal(settled?.number, number);
      assert.equal(settled?.state, 'applied');
      assert.equal(divergence, null);
      assert.deepEqual(helper.system, { base: { mailServerName: 'second.example' } });
      assert.equal(await storedName(), 'second.example');
    });

    it('believes the record when the helper had finished, and applies nothing again', async () => {
      await changes.save(saveBase('first.example', 0));
      const number = await dieAfterIntent(db, saveBase('second.example', await baseVersion()));
      helper.record = { ...helper.record!, change: number, status: 'applied' };
      const applies = helper.applied().length;

      const { settled } = await changes.recover();
      assert.equal(settled?.state, 'applied');
      assert.equal(helper.applied().length, applies);
    });

    it('puts the rows back when the record says refused, and keeps the reason', async () => {
      await changes.save(saveBase('first.example', 0));
      const stored = await db('mail_settings');
      const number = await dieAfterIntent(db, saveBase('second.example', await baseVersion()));
      const failure = new HelperError({
        stage: 'prove',
        key: 'helper.proof.banner',
        values: {},
        detail: 'no banner',
        restored: true,
      }).toFailure();
      helper.record = { ...helper.record!, change: number, status: 'refused', failure };

      const { settled } = await changes.recover();
      assert.equal(settled?.state, 'refused');
      assert.deepEqual(settled?.failure, failure);
      assert.deepEqual(await db('mail_settings'), stored);
    });

    it('takes the change back and asks when another database has changed the system since', async () => {
      await changes.save(saveBase('first.example', 0));
      const stored = await db('mail_settings');
      const number = await dieAfterIntent(db, saveBase('second.example', await baseVersion()));
      helper.record = { ...helper.record!, databaseId: OTHER_DATABASE, change: number };
      helper.system.base = { mailServerName: 'elsewhere.example' };

      const { settled, divergence } = await changes.recover();
      assert.equal(settled?.state, 'refused');
      assert.equal(settled?.failure?.key, 'helper.contradicted');
      assert.equal(divergence?.kind, 'foreign');
      assert.deepEqual(await db('mail_settings'), stored);
      assert.deepEqual(helper.system.base, { mailServerName: 'elsewhere.example' });
    });

    it('waits while the helper is away, says so to whoever saves, and finishes later', async () => {
      await changes.save(saveBase('first.example', 0));
      await dieAfterIntent(db, saveBase('second.example', await baseVersion()));
      helper.away = true;

      const { settled, waiting } = await changes.recover();
      assert.equal(settled, null);
      assert.ok(waiting !== null && waiting !== 'elsewhere' && waiting.stage === 'connect');
      await assert.rejects(
        changes.save(saveDomains(['a.example'])),
        (error) => error instanceof HelperError && error.unreachable,
      );
      assert.equal(await readDomains(db), null);

      helper.away = false;
      await changes.save(saveDomains(['a.example']));
      assert.deepEqual(helper.system, {
        base: { mailServerName: 'second.example' },
        domains: { names: ['a.example'] },
      });
      await changes.close();
    });

    it('finishes an abandoned change of a dead process before the next one', async () => {
      await dieAfterIntent(db, saveBase('first.example', 0));
      await changes.save(saveDomains(['a.example']));

      const states = (await changes.history()).changes.map(({ state }) => state);
      assert.deepEqual(states, ['applied', 'applied']);
      assert.equal(helper.applied().length, 2);
    });

    it('leaves a change alone that another living process drives', async () => {
      await dieAfterIntent(db, saveBase('first.example', 0), 'alive');
      const { settled, waiting } = await changes.recover();
      assert.equal(settled, null);
      assert.equal(waiting, 'elsewhere');
      assert.deepEqual(helper.requests, []);
      await changes.close();
    });

    it('takes a change over when its process has stopped renewing its lease', async () => {
      await dieAfterIntent(db, saveBase('first.example', 0), 'alive');
      await db('mail_leases').update({ expires_at: new Date(Date.now() - 60_000) });
      assert.equal((await changes.recover()).settled?.state, 'applied');
    });

    it('gives up waiting for another process after its limit and says for whom it waited', async () => {
      await dieAfterIntent(db, saveBase('first.example', 0, 'bernd'), 'alive');
      const hasty = createChanges({
        db,
        helper,
        sources: testSources,
        log: silentLog,
        waitLimitMs: 300,
      });
      await assert.rejects(hasty.save(saveDomains(['a.example'])), (error) => {
        const { problems } = error as { problems?: { key: string; values: object }[] };
        assert.equal(problems?.[0]?.key, 'changes.error.busy');
        assert.deepEqual(problems?.[0]?.values, { seconds: 0, actor: 'bernd' });
        return true;
      });
      assert.equal(await readDomains(db), null);
      await hasty.close();
    });

    it('settles by the record when the answer was lost', async () => {
      helper.mishaps.push('loses the answer');
      const change = await changes.save(saveBase('first.example', 0));
      assert.equal(change.state, 'applied');
      assert.equal(change.result?.status, 'applied');
      assert.equal(helper.applied().length, 1);
    });

    it('applies again when the helper died before it did anything', async () => {
      helper.mishaps.push('dies before');
      const change = await changes.save(saveBase('first.example', 0));
      assert.equal(change.state, 'applied');
      assert.equal(helper.applied().length, 2);
      assert.equal(helper.applied()[0]?.change, helper.applied()[1]?.change);
    });

    it('refuses by the record when the refusal was lost', async () => {
      helper.mishaps.push('refuses and loses the answer');
      await assert.rejects(
        changes.save(saveBase('first.example', 0)),
        (error) => error instanceof HelperError && error.key === 'helper.proof.banner',
      );
      assert.equal(await storedName(), undefined);
    });

    it('puts everything back at once when the helper cannot be reached', async () => {
      helper.mishaps.push('is away');
      await assert.rejects(
        changes.save(saveBase('first.example', 0)),
        (error) => error instanceof HelperError && error.unreachable,
      );
      assert.equal(await storedName(), undefined);
      assert.equal((await changes.history()).changes[0]?.state, 'refused');
    });

    it('does not claim anything while what was done cannot be known, and finds out later', async () => {
      helper.mishaps.push('loses the answer');
      helper.during = () => {
        helper.away = true;
      };
      await assert.rejects(
        changes.save(saveBase('first.example', 0)),
        (error) => error instanceof HelperError && error.key === 'helper.unsettled',
      );
      assert.equal((await changes.history()).changes[0]?.state, 'applying');

      helper.away = false;
      const { settled } = await changes.recover();
      assert.equal(settled?.state, 'applied');
      assert.equal(helper.applied().length, 1);
      await changes.close();
    });

    it('tells the listeners what was settled, by a save and by recovery', async () => {
      const told: Change[] = [];
      changes.onSettled((change) => void told.push(change));
      changes.onSettled(() => {
        throw new Error('a bad listener');
      });
      await changes.save(saveBase('first.example', 0));
      await dieAfterIntent(db, saveBase('second.example', await baseVersion()));
      await changes.recover();
      assert.deepEqual(
        told.map(({ state, sections }) => [state, ...sections]),
        [
          ['applied', 'base'],
          ['applied', 'base'],
        ],
      );
    });

    it('erases the sealed boxes of a change once it is settled', async () => {
      await changes.save(saveRelay({ host: 'a.example', password: 'BOX-ONE' }, 0));
      const { version } = (await readSettings(db, 'relay'))!;
      const inFlight: unknown[] = [];
      helper.during = async () => {
        inFlight.push(
          ...(await db('mail_change_rows').whereNotNull('sealed_before').select<object[]>()),
        );
      };
      await changes.save(saveRelay({ host: 'b.example', password: 'BOX-TWO' }, version));

      assert.match(JSON.stringify(inFlight), /BOX-ONE/);
      const kept = JSON.stringify([await db('mail_changes'), await db('mail_change_rows')]);
      assert.doesNotMatch(kept, /BOX-/);
    });

    it('puts a sealed box back when its change is refused', async () => {
      await changes.save(saveRelay({ host: 'a.example', password: 'BOX-ONE' }, 0));
      const stored = await db('mail_settings');
      const { version } = (await readSettings(db, 'relay'))!;
      await dieAfterIntent(db, saveRelay({ host: 'b.example', password: null }, version));
      helper.record = { ...helper.record!, change: helper.record!.change + 1, status: 'refused' };
      await changes.recover();
      assert.deepEqual(await db('mail_settings'), stored);
    });
  });
}

describe('two processes on a PostgreSQL server', () => {
  let databases: Databases;
  before(async () => {
    databases = await engines['a PostgreSQL server']!();
  });
  after(() => databases.stop());

  it('save 30 changes each at once: none lost, one in flight, numbers rising', async () => {
    const helper = createFakeHelper();
    let working = 0;
    helper.during = async () => {
      working += 1;
      assert.equal(working, 1);
      await new Promise((resolve) => setImmediate(resolve));
      working -= 1;
    };
    const one = await databases.fresh();
    const two = await databases.another();
    const services = [one, two].map((db) =>
      createChanges({ db, helper, sources: testSources, log: silentLog }),
    );
    await Promise.all(
      services.flatMap((changes, process) =>
        Array.from({ length: 30 }, (_, index) =>
          changes.save(saveDomains([`p${process}-${index}.example`])),
        ),
      ),
    );
    assert.equal((await readDomains(one))?.length, 60);
    const numbers = helper.applied().map(({ change }) => change);
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    assert.equal(new Set(numbers).size, 60);
  });

  it('recover at the same moment, and only one of them drives', async () => {
    const helper = createFakeHelper();
    const one = await databases.fresh();
    const two = await databases.another();
    await dieAfterIntent(one, saveBase('first.example', 0));
    const services = [one, two].map((db) =>
      createChanges({ db, helper, sources: testSources, log: silentLog }),
    );
    const found = await Promise.all(services.map((changes) => changes.recover()));
    assert.equal(helper.applied().length, 1);
    assert.ok(found.some(({ settled }) => settled?.state === 'applied'));
    await Promise.all(services.map((changes) => changes.close()));
  });
});
