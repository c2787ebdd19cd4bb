/** A crash left a change open, and the helper takes its time to say what became of it. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import request from 'supertest';
import { baseSource } from '../../lib/base/source.js';
import { beginChange } from '../../lib/changes/begin.js';
import { secretsOfSources } from '../../lib/changes/secrets.js';
import type { HelperTransport } from '../../lib/contract.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { releaseLease } from '../../lib/database/lease.js';
import { createDummyHost } from '../support/dummy-host.js';
import { textOf } from '../support/forms.js';
import { saveBase } from '../support/intents.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { recordingHelper } from '../support/recording-helper.js';
import { until } from '../support/wait.js';

let database: MemoryDatabase;
before(async () => {
  database = await openMemoryDatabase();
  await migrateMail(database.db);
});
after(() => database.close());

it('an unfinished change does not keep the pages from being served, which say so until it is settled', async () => {
  const { db } = database;
  const catalogue = {
    sources: new Map([[baseSource.section, baseSource]]),
    secrets: secretsOfSources([baseSource]),
  };
  await beginChange(db, catalogue, saveBase('new.example', 0), 'dead');
  await releaseLease(db, 'changes', 'dead');
  const helper = recordingHelper();
  let open: () => void = () => assert.fail('nobody asked for the record');
  const gate = new Promise<void>((resolve) => (open = resolve));
  const slow: HelperTransport = {
    request: async (action, params, options) => {
      if (action === 'record') await gate;
      return helper.request(action, params, options);
    },
  };
  const host = createDummyHost({ db, helper: slow, recoverLimitMs: 1 });
  const read = async (): Promise<string> => textOf((await request(host.app).get('/mail')).text);

  await host.plugin.start();
  assert.match(await read(), /A change by anna has not come to its end yet/);
  assert.deepEqual(
    (await host.plugin.health()).problems.find(({ key }) => key.endsWith('unsettled'))?.values,
    { actor: 'anna' },
  );

  open();
  await until('the end of the change', async () => !(await read()).includes('not come to its end'));
  assert.equal(helper.applied.length, 1);
  await host.plugin.close();
});
