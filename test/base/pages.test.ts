import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import request, { type Test } from 'supertest';
import { pluginPages } from '../support/plugin-pages.js';
import { formFields, textOf } from '../support/forms.js';
import { AWAY, refusedAt } from '../support/recording-helper.js';

const PATH = '/mail/configuration/base';

describe('Base configuration', () => {
  const pages = pluginPages({ tables: ['changes', 'settings'] });

  const get = (path = PATH): Test => pages.get(path);
  const post = (fields: Record<string, string | string[]>): Test => pages.post(PATH, fields);
  const shown = async (): Promise<Record<string, string>> =>
    formFields((await get().expect(200)).text);

  it('shows what the machine has while nothing was saved', async () => {
    const fields = await shown();
    assert.equal(fields['mailServerName'], 'old.example.com');
    assert.equal(fields['maxMessageSizeMb'], '10');
    assert.equal(fields['delivery'], 'system');
    assert.equal(fields['version'], '0');
    assert.deepEqual(pages.host.log.errors(), []);
  });

  it('saves, sends the browser back, and shows what was saved', async () => {
    const fields = await shown();
    const answer = await post({ ...fields, mailServerName: 'mail.example.com', intent: 'save' });
    assert.equal(answer.status, 303);
    assert.deepEqual(pages.helper.applied.at(-1)?.sections, {
      base: {
        mailServerName: 'mail.example.com',
        maxMessageSizeMb: 10,
        delivery: 'system',
        mailboxFormat: 'mbox',
        lmtpHost: '127.0.0.1',
        lmtpPort: 2003,
        unknownRecipient: 'refuse',
      },
    });
    const again = formFields((await get(answer.headers['location']).expect(200)).text);
    assert.equal(again['mailServerName'], 'mail.example.com');
    assert.notEqual(again['version'], '0');
  });

  it('replaces what was set by hand and could not be saved, without saving that first', async () => {
    const base = pages.helper.machine['base'];
    assert.ok(base);
    const settings = { ...(base.settings as object), mailServerName: 'mx_1.example.com' };
    pages.helper.machine['base'] = { ...base, settings };
    const fields = await shown();
    const answer = await post({ ...fields, mailServerName: 'mail.example.com', intent: 'save' });
    assert.equal(answer.status, 303, textOf(answer.text));
    assert.equal(pages.helper.applied.length, 1);
  });

  it('previews without writing anything', async () => {
    const fields = await shown();
    pages.helper.result = {
      files: [
        {
          path: '/etc/postfix/main.cf',
          summary: 'changed',
          diff: '--- a\n+++ b\n@@ -1,2 +1,2 @@\n a = 1\n-message_size_limit = 10485760\n+message_size_limit = 52428800\n',
        },
      ],
    };
    const answer = await post({ ...fields, maxMessageSizeMb: '50', intent: 'preview' });
    assert.equal(answer.status, 200);
    const text = textOf(answer.text);
    assert.match(text, /Preview: 1 setting would change/);
    assert.match(text, /Maximum mail size 10 MB 50 MB/);
    assert.match(answer.text, /<del>- message_size_limit = 10485760<\/del>/);
    assert.equal(formFields(answer.text)['maxMessageSizeMb'], '50');
    assert.deepEqual(pages.helper.applied, []);
    assert.equal((await shown())['maxMessageSizeMb'], '10');
  });

  it('refuses wrong entries with 422, names each, and keeps what was typed', async () => {
    const fields = await shown();
    const answer = await post({
      ...fields,
      mailServerName: 'mail_server!',
      maxMessageSizeMb: '50 M',
      intent: 'save',
    });
    assert.equal(answer.status, 422);
    const text = textOf(answer.text);
    assert.match(text, /Nothing was saved. 2 entries need your attention/);
    assert.match(text, /“50 M” is not possible. Enter a number/);
    assert.match(answer.text, /<title>Error: Base configuration/);
    assert.match(answer.text, /<a href="#mailServerName">/);
    const kept = formFields(answer.text);
    assert.equal(kept['mailServerName'], 'mail_server!');
    assert.equal(kept['maxMessageSizeMb'], '50 M');
    assert.deepEqual(pages.helper.applied, []);
  });

  it('shows both versions with 409 when somebody saved meanwhile', async () => {
    const fields = await shown();
    await post({ ...fields, maxMessageSizeMb: '30', intent: 'save' }).expect(303);
    const answer = await request(pages.host.app)
      .post(PATH)
      .set('x-login', 'ben')
      .type('form')
      .send({
        ...fields,
        maxMessageSizeMb: '50',
        mailServerName: 'new.example.com',
        intent: 'save',
      });
    assert.equal(answer.status, 409);
    const text = textOf(answer.text);
    assert.match(text, /anna saved this page/);
    assert.match(text, /50 MB 30 MB/);
    const merged = await post({
      ...formFields(answer.text),
      maxMessageSizeMb: '30',
      intent: 'save',
    });
    assert.equal(merged.status, 303);
    const now = await shown();
    assert.equal(now['maxMessageSizeMb'], '30');
    assert.equal(now['mailServerName'], 'new.example.com');
  });

  it('says at which stage the helper refused, folds the details, and keeps what was typed', async () => {
    const fields = await shown();
    pages.helper.refusal = refusedAt('check', 'helper.check.postfix');
    const answer = await post({ ...fields, mailServerName: 'mail.example.com', intent: 'save' });
    assert.equal(answer.status, 502);
    assert.match(textOf(answer.text), /Postfix’s own check refuses the new configuration/);
    assert.match(answer.text, /&lt;script&gt;/);
    assert.doesNotMatch(answer.text, /<script>alert/);
    assert.equal(formFields(answer.text)['mailServerName'], 'mail.example.com');
    assert.equal((await shown())['mailServerName'], 'old.example.com');
  });

  it('goes on showing the last known state while the helper is away', async () => {
    await shown();
    pages.helper.failure = AWAY;
    await pages.restart();
    const answer = await get().expect(200);
    assert.match(textOf(answer.text), /The helper does not answer/);
    assert.match(answer.text, /<button class="first" name="intent" value="save" disabled>/);
    const saved = await post({ ...formFields(answer.text), intent: 'save' });
    assert.equal(saved.status, 502);
  });
});
