/** The helper hangs: it takes every request and never answers. No page waits for long, and each says what is known. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createSocketTransport } from '../../lib/client/socket-transport.js';
import type { HelperTransport } from '../../lib/contract.js';
import { readManifest } from '../../lib/manifest.js';
import { CSRF } from '../support/dummy-host.js';
import { textOf } from '../support/forms.js';
import { pluginPages } from '../support/plugin-pages.js';
import { AWAY } from '../support/recording-helper.js';
import { startSilentHelper, type SilentHelper } from '../support/silent-helper.js';
import { until } from '../support/wait.js';

const BASE = '/mail/configuration/base';
const IN_TIME = /The helper did not answer in time: it hangs, or this server is very busy\./;
const IN_DOUBT = /It is not known whether that was done/;
const NOTHING_SAVED = /Nothing was saved:/;
const NOT_AS_BEFORE = /Not everything is as it was before/;

describe('pages while the helper hangs', () => {
  const pages = pluginPages({ tables: ['changes', 'settings'] });
  let silent: SilentHelper;
  before(async () => {
    silent = await startSilentHelper();
  });
  after(() => silent.stop());

  const hung = (silenceMs = 20): HelperTransport =>
    createSocketTransport({ path: silent.path, patience: { lookMs: 20, silenceMs } });

  const typed = async () => {
    const fields = await pages.fields(BASE);
    return { ...fields, mailServerName: 'mail.example.com', intent: 'save' };
  };

  const stateOfLast = async (): Promise<string> => {
    const [chip = ''] =
      /<span class="chip .*?<\/span>/.exec((await pages.get('/mail/history')).text) ?? [];
    return textOf(chip);
  };

  it('every page comes all the same, and claims nothing it does not know', async () => {
    await pages.restart({ helper: hung(), patienceMs: 300 });
    const { menu } = readManifest();
    const entries = menu.flatMap((entry) => [entry, ...(entry.tabs ?? [])]);
    for (const path of new Set(entries.map((entry) => entry.path))) {
      const { status, text } = await pages.get(`/mail${path}`);
      assert.ok([200, 502].includes(status), `${path}: ${status} ${textOf(text)}`);
      assert.doesNotMatch(textOf(text), NOT_AS_BEFORE, path);
      assert.doesNotMatch(textOf(text), NOTHING_SAVED, path);
      assert.doesNotMatch(textOf(text), IN_DOUBT, path);
      if (status === 502) assert.match(textOf(text), IN_TIME, path);
    }
    assert.deepEqual(pages.host.log.errors(), []);
  });

  it('a save says that it is not known whether it is in force, and where that will stand; once the helper is killed it is settled', async () => {
    await pages.post(BASE, { ...(await typed()), mailServerName: 'first.example.com' }).expect(303);
    const fields = await typed();
    const before = pages.helper.applied.length;
    // It is not given up before somebody kills it.
    let now = hung(600_000);
    await pages.restart({ helper: { request: (...asked) => now.request(...asked) } });
    const refused = await pages.post(BASE, fields);
    assert.equal(refused.status, 502);
    const text = textOf(refused.text);
    assert.match(text, /It is not known yet whether the change came through/);
    assert.match(text, /the change is brought to its end by itself: in force, or taken back/);
    assert.match(text, /root ends what hangs/);
    assert.doesNotMatch(text, NOT_AS_BEFORE);
    assert.doesNotMatch(text, NOTHING_SAVED);
    assert.match(refused.text, /<a href="\/mail\/history">See in the history/);
    assert.equal(await stateOfLast(), 'under way');

    now = pages.helper;
    silent.die();
    await until('the end of the change', async () => (await stateOfLast()) === 'took effect');
    assert.equal(pages.helper.applied.length, before + 1);
    assert.equal((await pages.fields(BASE))['mailServerName'], 'mail.example.com');
  });

  it('what is there to be taken over is asked for at once, not one after the other', async () => {
    const asked = new Set<string>();
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const helper: HelperTransport = {
      request: async (action, params, options) => {
        asked.add(action);
        if (action === 'takeover') await answered;
        return pages.helper.request(action, params, options);
      },
    };
    pages.helper.failure = AWAY;
    await pages.restart({ helper });
    const page = pages.get('/mail/takeover').expect(502);
    try {
      await Promise.race([page, until('both questions', () => asked.has('fetchmailrc'))]);
      assert.ok(asked.has('fetchmailrc'));
    } finally {
      answer();
      await page;
    }
  });

  it('a preview says that nothing was saved', async () => {
    const fields = await typed();
    await pages.restart({ helper: hung() });
    const refused = await pages.post(BASE, { ...fields, intent: 'preview' });
    assert.equal(refused.status, 502);
    const text = textOf(refused.text);
    assert.match(text, /Nothing was saved: the helper did not finish/);
    assert.match(text, IN_TIME);
    assert.match(text, /The mail server is as it was before/);
  });

  it('starting Postfix says that it is not known whether it was done', async () => {
    await pages.restart({ helper: hung(), patienceMs: 300 });
    const refused = await pages.post('/mail/start', { _csrf: CSRF });
    const text = textOf(refused.text);
    assert.match(text, IN_DOUBT);
    assert.match(text, IN_TIME);
    assert.match(text, /Look how things are before you repeat it/);
    assert.doesNotMatch(text, NOT_AS_BEFORE);
  });
});
