import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import request, { type Test } from 'supertest';
import type { Finding } from '../../lib/takeover/finding.js';
import { pluginPages } from '../support/plugin-pages.js';
import { formFields, textOf } from '../support/forms.js';
import { AWAY } from '../support/recording-helper.js';
import { htmlProblems } from '../support/valid-html.js';

const PATH = '/mail/takeover';
const where = { file: '/etc/postfix/main.cf', line: 12 };
const FINDINGS: readonly Finding[] = [
  {
    ...{ verdict: 'contradictory', section: 'relay', parameter: 'mynetworks', where },
    ...{ value: '300.1.2.3/40', reason: 'network', values: {} },
  },
  {
    ...{ verdict: 'understood', section: 'base', parameter: 'myhostname', where },
    ...{ value: '<b>mx.example</b>', reason: 'page', values: {} },
  },
  {
    ...{ verdict: 'left', section: null, parameter: 'biff', where },
    ...{ value: 'no', reason: 'noPage', values: {} },
  },
];

describe('taking over an existing server', () => {
  const pages = pluginPages({
    tables: ['changes', 'settings', 'domains', 'relay_networks'],
    prepare: (helper) => {
      const settings = () =>
        Object.fromEntries(Object.entries(helper.machine).map(([id, one]) => [id, one.settings]));
      helper.answers['takeover'] = () => ({ findings: FINDINGS, settings: settings(), edits: {} });
      helper.result = { status: 'unchanged', activation: 'none' };
    },
  });

  const get = (path: string): Test => pages.get(path);
  const accept = async (status = 303) => {
    const fields = formFields((await get(PATH).expect(200)).text);
    return pages.post(PATH, fields).expect(status);
  };

  it('is offered on the overview until something was saved', async () => {
    assert.match(textOf((await get('/mail')).text), /was set up elsewhere/);
    await accept();
    assert.doesNotMatch(textOf((await get('/mail')).text), /was set up elsewhere/);
  });

  it('shows every setting with value, place, and what becomes of it', async () => {
    const { text } = await get(PATH).expect(200);
    assert.deepEqual(await htmlProblems(text), []);
    const words = textOf(text);
    assert.match(
      words,
      /Contradictory: one setting.*mynetworks.*300\.1\.2\.3\/40.*main\.cf, line 12/,
    );
    assert.match(words, /Understood: one setting.*myhostname.*<b>mx\.example<\/b>/);
    assert.match(words, /Left alone: one setting.*biff/);
    assert.match(words, /What the pages will say.*old\.example\.com/);
    assert.doesNotMatch(text, /<b>mx/);
  });

  it('saves what the machine says, once somebody says yes, as one change that touches nothing', async () => {
    const answer = await accept();
    assert.match(answer.headers['location'] ?? '', /takeover\?saved=\d+$/);
    const [applied] = pages.helper.applied;
    assert.deepEqual(Object.keys(applied?.sections ?? {}), [
      'base',
      'tls',
      'security',
      'domains',
      'smarthost',
      'relay',
      'policy',
    ]);
    assert.deepEqual(applied?.sections['relay'], { networks: ['127.0.0.0/8', '::1'] });
    const words = textOf((await get(PATH).expect(200)).text);
    assert.match(words, /nothing left to take over/);
    assert.match(textOf((await get('/mail/history')).text), /Existing mail server taken over/);
    const [, id = ''] = /saved=(\d+)$/.exec(answer.headers['location'] ?? '') ?? [];
    const told = textOf((await get(`/mail/history/${id}`).expect(200)).text);
    assert.match(told, /Incoming mail.*SMTPS, port 465/);
    assert.doesNotMatch(told, /\bsubmissions\b/);
  });

  it('saves nothing when the machine was changed while somebody looked', async () => {
    const fields = formFields((await get(PATH)).text);
    pages.helper.machine['domains'] = { settings: { names: ['new.example'] }, unclear: [] };
    const answer = await pages.post(PATH, fields).expect(422);
    assert.match(textOf(answer.text), /changed the mail server or a page while you were looking/);
    assert.equal(pages.helper.applied.length, 0);
  });

  it('saves nothing when that would change something on the machine', async () => {
    pages.helper.result = { parameters: [{ name: 'myhostname', before: 'a', after: 'b' }] };
    const answer = await accept(422);
    assert.match(textOf(answer.text), /would change something on this machine \(myhostname\)/);
    assert.equal(pages.helper.applied.length, 0);
  });

  it('passes over pages that have saved settings', async () => {
    const path = '/mail/configuration/base';
    const fields = formFields((await get(path)).text);
    await pages
      .post(path, { ...fields, mailServerName: 'mine.example', intent: 'save' })
      .expect(303);
    await accept();
    const taken = pages.helper.applied.at(-1);
    assert.deepEqual(Object.keys(taken?.sections ?? {}), [
      'tls',
      'security',
      'domains',
      'smarthost',
      'relay',
      'policy',
    ]);
    assert.match((await get(path)).text, /value="mine\.example"/);
  });

  it('is for administrators; others may look', async () => {
    const { text } = await get(PATH).set('x-roles', 'mail.read').expect(200);
    assert.doesNotMatch(text, /Take over these settings/);
    await request(pages.host.app).post(PATH).set('x-roles', 'mail.read,mail.operate').expect(403);
  });

  it('says so when the helper is away', async () => {
    pages.helper.failure = AWAY;
    const answer = await get(PATH).expect(502);
    assert.match(textOf(answer.text), /helper/i);
    assert.deepEqual(pages.host.log.errors(), []);
  });
});
