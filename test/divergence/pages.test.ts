import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import request from 'supertest';
import { markDivergence, readDivergence } from '../../lib/changes/divergence.js';
import type { HelperTransport } from '../../lib/contract.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { createDummyHost, type DummyHost } from '../support/dummy-host.js';
import { createFakeHelper, type FakeHelper } from '../support/fake-helper.js';
import { formFields, textOf } from '../support/forms.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { recordingHelper } from '../support/recording-helper.js';

describe('the page about settings and mail server that went apart', () => {
  let database: MemoryDatabase;
  let system: FakeHelper;
  let host: DummyHost;

  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());
  beforeEach(async () => {
    for (const table of ['mail_changes', 'mail_settings', 'mail_leases']) {
      await database.db(table).delete();
    }
    await database.db('mail_meta').whereIn('key', ['divergence', 'agreement']).delete();
    await database.db('mail_settings').insert({
      id: 'base',
      value: JSON.stringify({ mailServerName: 'saved.example' }),
      updated_by: 'anna',
    });
    system = createFakeHelper();
    system.system.base = { mailServerName: 'elsewhere.example' };
    // What the pages read of the machine comes from the one, what they change goes to the other.
    const reading = recordingHelper();
    const helper: HelperTransport = {
      request: (action, params, options) =>
        ['apply', 'record'].includes(action)
          ? system.request(action, params, options)
          : reading.request(action, params, options),
    };
    host = createDummyHost({ db: database.db, helper });
    await markDivergence(database.db, {
      kind: 'foreign',
      systemChange: 7,
      noticedAt: new Date().toISOString(),
    });
  });
  afterEach(() => host.plugin.close());

  it('is announced on the overview', async () => {
    const page = await request(host.app).get('/mail/').expect(200);
    assert.match(page.text, /href="\/mail\/history\/divergence"/);
  });

  it('has the saved settings applied on the word of the administrator', async () => {
    const page = await request(host.app).get('/mail/history/divergence').expect(200);
    const answer = await request(host.app)
      .post('/mail/history/divergence')
      .type('form')
      .send({ ...formFields(page.text), intent: 'save' })
      .expect(303);
    assert.match(answer.headers['location'] ?? '', /^\/mail\/history\?saved=\d+$/);
    assert.deepEqual(system.system.base, { mailServerName: 'saved.example' });
    assert.equal(await readDivergence(database.db), null);
    await request(host.app).get('/mail/history/divergence').expect(303);
  });

  it('says why the settings could not be applied, and goes on asking', async () => {
    system.mishaps.push({ refuse: { stage: 'check', key: 'helper.check.failed' } });
    const page = await request(host.app).get('/mail/history/divergence').expect(200);
    await request(host.app)
      .post('/mail/history/divergence')
      .type('form')
      .send(formFields(page.text))
      .expect(502);
    assert.equal((await readDivergence(database.db))?.kind, 'foreign');
    assert.deepEqual(system.system.base, { mailServerName: 'elsewhere.example' });
  });

  it('is still there while the helper is away', async () => {
    system.away = true;
    const page = await request(host.app).get('/mail/history/divergence').expect(200);
    assert.match(textOf(page.text), /another installation/);
  });
});
