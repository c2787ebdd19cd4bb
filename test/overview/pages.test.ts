import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import request from 'supertest';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { insertSample } from '../../lib/queue/store.js';
import { createDummyHost, type DummyHost } from '../support/dummy-host.js';
import { textOf } from '../support/forms.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { AWAY, recordingHelper, type RecordingHelper } from '../support/recording-helper.js';

describe('the overview', () => {
  let database: MemoryDatabase;
  let helper: RecordingHelper;
  let host: DummyHost;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());
  beforeEach(() => {
    helper = recordingHelper();
    host = createDummyHost({ db: database.db, helper });
  });
  const read = async (): Promise<string> => textOf((await request(host.app).get('/mail')).text);

  it('says that all is well when it is', async () => {
    helper.machine['domains'] = { settings: { names: ['acme.org'] }, unclear: [] };
    const text = await read();
    assert.match(text, /The mail server is running and takes mail/);
    assert.match(text, /It calls itself old\.example\.com\. It takes mail for one domain\./);
    assert.deepEqual(await host.plugin.health(), { status: 'ok', problems: [] });
    assert.deepEqual(host.log.errors(), []);
  });

  it('says what is to do while there is no domain', async () => {
    assert.match(await read(), /There is something for you to do.*no mail domain of its own yet/);
    const { status, problems } = await host.plugin.health();
    assert.equal(status, 'degraded');
    assert.equal(problems[0]?.key, 'overview.trouble.noDomain');
  });

  it('says first that mail stands still', async () => {
    helper.postfix = { installed: true, running: false, version: '3.7.11' };
    assert.match(await read(), /Mail stands still: Postfix is not running/);
    assert.equal((await host.plugin.health()).status, 'failing');
  });

  it('says when the queue has no room', async () => {
    helper.queueFreeBytes = 1_000_000;
    assert.match(await read(), /No mail is taken: the mail queue has too little room/);
  });

  it('says that nothing is known when the helper never answered', async () => {
    helper.failure = AWAY;
    assert.match(await read(), /Whether mail is flowing is not known right now/);
    assert.equal((await host.plugin.health()).status, 'degraded');
  });

  it('says when the mail queue grows, a destination stalls or room runs out, and leads there', async () => {
    const hour = 60 * 60 * 1000;
    const quiet = { held: 0, diskFree: 5e12, diskNeeded: 1.5e7, stalls: [] };
    await insertSample(database.db, { ...quiet, waiting: 3 });
    const before = new Date(Date.now() - 1.2 * hour);
    await database.db('mail_queue_samples').update({ at: before });
    const oldest = Math.floor((Date.now() - 5 * hour) / 1000);
    const stall = { destination: 'firma.example', messages: 40, oldest, cause: 'refused' };
    await insertSample(database.db, {
      ...quiet,
      waiting: 90,
      diskFree: 60 * 1024 ** 2,
      stalls: [stall],
    });
    const { text: html } = await request(host.app).get('/mail');
    const text = textOf(html);
    assert.match(text, /90 mails wait; an hour before it was 3/);
    assert.match(text, /40 mails for firma\.example cannot be delivered The oldest came /);
    assert.match(text, /Reason: The other server takes no connections/);
    assert.match(
      text,
      /The mail queue is running out of room 60\sMB are free\. .* To the mail queue/,
    );
    assert.match(html, /href="\/mail\/queue\?recipient=%40firma\.example"/);
    const german = await request(host.app).get('/mail').set('x-language', 'de');
    assert.match(textOf(german.text), /40 Mails an firma\.example lassen sich nicht zustellen/);
    await database.db('mail_queue_samples').delete();
  });
});
