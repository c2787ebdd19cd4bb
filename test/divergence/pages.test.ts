import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { markDivergence, readDivergence } from '../../lib/changes/divergence.js';
import type { HelperTransport } from '../../lib/contract.js';
import { createFakeHelper, type FakeHelper } from '../support/fake-helper.js';
import { formFields, textOf } from '../support/forms.js';
import { pluginPages } from '../support/plugin-pages.js';

describe('the page about settings and mail server that went apart', () => {
  const pages = pluginPages({ tables: ['changes', 'settings', 'leases'] });
  const { get } = pages;
  let system: FakeHelper;
  beforeEach(async () => {
    const { db } = pages.database;
    await db('mail_meta').whereIn('key', ['divergence', 'agreement']).delete();
    await db('mail_settings').insert({
      id: 'base',
      value: JSON.stringify({ mailServerName: 'saved.example' }),
      updated_by: 'anna',
    });
    system = createFakeHelper();
    system.system.base = { mailServerName: 'elsewhere.example' };
    // What the pages read of the machine comes from the one, what they change goes to the other.
    const helper: HelperTransport = {
      request: (action, params, options) =>
        ['apply', 'record'].includes(action)
          ? system.request(action, params, options)
          : pages.helper.request(action, params, options),
    };
    await pages.restart({ helper });
    await markDivergence(db, {
      kind: 'foreign',
      systemChange: 7,
      noticedAt: new Date().toISOString(),
    });
  });

  it('is announced on the overview', async () => {
    const page = await get('/mail/').expect(200);
    assert.match(page.text, /href="\/mail\/history\/divergence"/);
  });

  it('has the saved settings applied on the word of the administrator', async () => {
    const page = await get('/mail/history/divergence').expect(200);
    const answer = await pages
      .post('/mail/history/divergence', { ...formFields(page.text), intent: 'save' })
      .expect(303);
    assert.match(answer.headers['location'] ?? '', /^\/mail\/history\?saved=\d+$/);
    assert.deepEqual(system.system.base, { mailServerName: 'saved.example' });
    assert.equal(await readDivergence(pages.database.db), null);
    await get('/mail/history/divergence').expect(303);
  });

  it('says why the settings could not be applied, and goes on asking', async () => {
    system.mishaps.push({ refuse: { stage: 'check', key: 'helper.check.failed' } });
    const page = await get('/mail/history/divergence').expect(200);
    await pages.post('/mail/history/divergence', formFields(page.text)).expect(502);
    assert.equal((await readDivergence(pages.database.db))?.kind, 'foreign');
    assert.deepEqual(system.system.base, { mailServerName: 'elsewhere.example' });
  });

  it('is still there while the helper is away', async () => {
    system.away = true;
    const page = await get('/mail/history/divergence').expect(200);
    assert.match(textOf(page.text), /another installation/);
  });
});
