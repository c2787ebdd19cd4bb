/** The first steps, on the overview of the dummy host with a recording helper. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import request from 'supertest';
import type { DirectoryUser } from '../../lib/contract.js';
import { NO_SMARTHOST } from '../../lib/smarthost/schema.js';
import { CSRF } from '../support/dummy-host.js';
import { pluginPages } from '../support/plugin-pages.js';
import { textOf } from '../support/forms.js';
import { until } from '../support/wait.js';

const person = (login: string, more: Partial<DirectoryUser> = {}): DirectoryUser => ({
  ...{ id: login, login, name: login, addresses: [], groups: [] },
  ...{ hasMailbox: true, system: false, locked: false },
  ...more,
});
const PEOPLE = [
  person('anna'),
  person('ben'),
  person('root', { system: true }),
  person('gone', { locked: true }),
];

describe('the first steps', () => {
  const pages = pluginPages({
    tables: ['guide'],
    host: { users: PEOPLE },
    prepare: (helper) => {
      helper.answers['test-message'] = () => ({
        ...{ followed: true, state: 'sent', queueId: '4bX', relay: 'mx.far.example', reply: '' },
      });
    },
  });
  const read = async (): Promise<string> => textOf((await pages.get('/mail')).text);
  const press = (intent: string, roles = 'mail.read,mail.operate,mail.admin') =>
    request(pages.host.app)
      .post('/mail/guide')
      .set('x-roles', roles)
      .type('form')
      .send({ _csrf: CSRF, intent });
  const sendTest = (testRecipient = 'x@far.example') =>
    pages.post('/mail/', { _csrf: CSRF, testSender: 'anna@acme.org', testRecipient });

  it('tell from facts what is done and what is not', async () => {
    const text = await read();
    assert.match(text, /First steps 1 of 4 done/);
    assert.doesNotMatch(text, /nothing for you to do/);
    assert.match(text, /Your mail domain to do .* no mail domain of its own yet/);
    assert.match(text, /People with a mailbox done 2 people have a mailbox\./);
    assert.match(text, /The way out to do .*Enter a smarthost A test message to do/);
    assert.equal(text.match(/no mail domain of its own yet/g)?.length, 1, 'it is said once');
  });

  it('name the domain that others can write to, not one of the machine itself', async () => {
    const names = ['localhost.localdomain', 'zoo.example'];
    pages.helper.machine['domains'] = { settings: { names }, unclear: [] };
    assert.match(await read(), /Your mail domain done Mail to zoo\.example is accepted\./);
  });

  it('show the overview again with what was wrong about a test message', async () => {
    const answer = await sendTest('somebody');
    assert.equal(answer.status, 422);
    const text = textOf(answer.text);
    assert.match(text, /One entry needs your attention\. To: “somebody” is no mail address/);
    assert.doesNotMatch(text, /Nothing was saved/);
    assert.match(text, /How the parts are/);
    assert.match(answer.text, /name="testRecipient" value="somebody"/);
    assert.match(answer.text, /href="#testRecipient"/);
  });

  it('follow a test message on the overview, and are over when all is done', async () => {
    pages.helper.machine['domains'] = { settings: { names: ['acme.lan'] }, unclear: [] };
    pages.helper.machine['smarthost'] = {
      settings: { ...NO_SMARTHOST, host: 'smtp.far.example' },
      unclear: [],
    };
    assert.match(await read(), /3 of 4 done.* Mail to acme\.lan is accepted\./);
    const sent = await sendTest();
    assert.equal(sent.status, 303);
    assert.match(sent.headers['location'] ?? '', /^\/mail\/\?test=/);
    await until('the end of the test', async () => !(await read()).includes('First steps'));
    const answer = textOf((await pages.get(sent.headers['location'] ?? '')).text);
    assert.match(answer, /Sent: mx\.far\.example took the message to x@far\.example/);
  });

  it('take a message that arrived as the proof that no smarthost is needed', async () => {
    await sendTest();
    await until('the mark', async () => (await pages.database.db('mail_guide')).length === 1);
    assert.match(await read(), /The way out done Mail goes straight to .* a test message arrived/);
  });

  it('count no message that came back, and none to somebody here', async () => {
    pages.helper.machine['domains'] = { settings: { names: ['acme.lan'] }, unclear: [] };
    await sendTest('Ben@ACME.lan');

    pages.helper.answers['test-message'] = () => ({
      ...{ followed: true, state: 'bounced', queueId: '4bX', relay: '', reply: '550 no' },
    });
    const sent = await sendTest();
    await until('the end of the test', async () =>
      textOf((await pages.get(sent.headers['location'] ?? '')).text).includes('Refused:'),
    );
    assert.match(await read(), /A test message to do/);
  });

  it('can be put away by an administrator, for everybody, and come back', async () => {
    assert.equal((await press('hide', 'mail.read,mail.operate')).status, 403);
    assert.equal((await press('hide')).status, 303);
    const text = await read();
    assert.doesNotMatch(text, /First steps/);
    assert.match(text, /no mail domain of its own yet/, 'what is to do is still told');
    assert.match(text, /Show the first steps/);
    assert.equal((await press('show')).status, 303);
    assert.match(await read(), /First steps/);
  });

  it('do not wait for a directory that takes its time', async () => {
    await pages.restart({
      directory: {
        kind: 'nss',
        users: () => new Promise<readonly DirectoryUser[]>(() => undefined),
        groups: () => Promise.resolve([]),
        onChange: () => () => undefined,
      },
    });
    assert.match(
      await read(),
      /People with a mailbox not known The users .* cannot be counted right now/,
    );
  });
});
