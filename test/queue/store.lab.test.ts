import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Knex } from 'knex';
import {
  advanceJob,
  askToCancel,
  finishJob,
  insertJob,
  insertSample,
  JOB_LOST_SECONDS,
  readJob,
  readSamples,
  runningJobs,
} from '../../lib/queue/store.js';
import { NO_FILTER } from '../../lib/queue/query.js';
import { engines, type Databases } from '../support/databases.js';

const COUNTS = { done: 3, unchanged: 1, gone: 1, failed: 1 };
const FILTER = { ...NO_FILTER, sender: 'anna@acme.example', olderThan: 600 };

for (const [name, start] of Object.entries(engines)) {
  describe(`jobs and samples in ${name}`, () => {
    let databases: Databases;
    let db: Knex;
    before(async () => {
      databases = await start();
      db = await databases.fresh();
    });
    after(() => databases.stop());

    const begin = (): Promise<string> =>
      insertJob(db, { action: 'delete', actor: 'anna', filter: FILTER, total: 9 });

    it('note how far a job is and how it ended', async () => {
      const id = await begin();
      assert.equal(await advanceJob(db, id, { ...COUNTS, total: 9 }), false);
      const [running] = await runningJobs(db);
      assert.deepEqual([running?.id, running?.done, running?.filter], [id, 3, FILTER]);
      const failures = [{ id: 'ABCDEF0', why: 'held' as const, detail: '' }];
      await finishJob(db, id, { ...COUNTS, total: 9, state: 'done', failure: null, failures });
      const job = await readJob(db, id);
      assert.deepEqual([job?.state, job?.failures, job?.gone], ['done', failures, 1]);
      assert.deepEqual(await runningJobs(db), []);
    });

    it('tell a job that somebody wants it to stop, and nobody can stop one that is over', async () => {
      const id = await begin();
      assert.equal(await askToCancel(db, id), true);
      assert.equal(await advanceJob(db, id, { ...COUNTS, total: 9 }), true);
      const end = { ...COUNTS, total: 9, failure: null, failures: [] };
      await finishJob(db, id, { ...end, state: 'cancelled' });
      assert.equal(await askToCancel(db, id), false);
    });

    it('say that a job is lost when its process does not show itself any more', async () => {
      const id = await begin();
      await db('mail_queue_jobs')
        .where({ id })
        .update({ seen_at: new Date(Date.now() - (JOB_LOST_SECONDS + 60) * 1000) });
      assert.equal((await readJob(db, id))?.state, 'lost');
      assert.equal(await advanceJob(db, id, { ...COUNTS, total: 9 }), true, 'it has to stop');
    });

    it('keep what was seen, and find what was seen an hour before, but not days before', async () => {
      const seen = { waiting: 5, held: 1, diskFree: 5e12, diskNeeded: 1e7, stalls: [] };
      await insertSample(db, { ...seen, waiting: 1 });
      await insertSample(db, seen);
      assert.equal((await readSamples(db, 3_600)).now?.diskFree, 5e12);
      assert.equal((await readSamples(db, 3_600)).before, null);
      const age = async (hours: number): Promise<void> =>
        void (await db('mail_queue_samples')
          .where({ waiting: 1 })
          .update({ at: new Date(Date.now() - hours * 3_600_000) }));
      await age(1.5);
      assert.equal((await readSamples(db, 3_600)).before?.waiting, 1);
      await age(50);
      assert.equal((await readSamples(db, 3_600)).before, null);
    });
  });
}
