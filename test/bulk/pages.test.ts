/** The pages of bulk mail, on the dummy host with a recording helper; nothing is sent. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import request, { type Test } from 'supertest';
import type { DirectoryUser } from '../../lib/contract.js';
import { CSRF } from '../support/dummy-host.js';
import { pluginPages } from '../support/plugin-pages.js';
import { readForms, textOf } from '../support/forms.js';
import { AWAY } from '../support/recording-helper.js';

const PATH = '/mail/bulk';
const HOSTILE = '"><script>alert(1)</script>';

const user = (login: string, more: Partial<DirectoryUser> = {}): DirectoryUser => ({
  ...{ id: login, login, name: login.toUpperCase(), addresses: [], hasMailbox: true },
  ...{ system: false, locked: false, groups: [login, 'staff'], ...more },
});
const USERS = [
  user('anna'),
  user('ben', { name: HOSTILE }),
  user('cora', { groups: ['cora', 'board'] }),
  user('locked', { locked: true }),
  user('nobox', { hasMailbox: false }),
  user('daemon', { system: true, groups: [] }),
  user('twin', { addresses: ['anna@example.com'] }),
];
const GROUPS = ['staff', 'board', 'anna', 'cora'].map((name) => ({ id: name, name }));

describe('the pages of bulk mail', () => {
  const pages = pluginPages({
    tables: ['bulk_mailings', 'aliases'],
    host: { users: USERS, groups: GROUPS },
    prepare: (helper) => {
      helper.machine['domains'] = { settings: { names: ['example.com'] }, unclear: [] };
      helper.answers['system-aliases'] = () => ({ entries: [], count: 0 });
    },
  });

  const get = (path = PATH, roles = 'mail.read,mail.operate'): Test =>
    pages.get(path).set('x-roles', roles);
  const post = (path: string, fields: Record<string, string | string[]>): Test =>
    pages.post(path, { _csrf: CSRF, ...fields });
  const typed = (more: Record<string, string | string[]> = {}) => ({
    ...{
      from: 'anna@example.com',
      fromName: 'Anna',
      subject: 'News',
      body: 'Dear {name},\r\nhello',
    },
    ...{ rate: '600', version: '0', ...more },
  });
  const write = async (more: Record<string, string | string[]> = {}): Promise<string> => {
    const answer = await post(`${PATH}/new`, typed(more));
    assert.equal(answer.status, 303, textOf(answer.text));
    return String(answer.headers['location']);
  };
  const hidden = async (draft: string) => {
    const form = readForms((await get(draft).expect(200)).text).find(({ action }) =>
      action.endsWith('/send'),
    );
    return Object.fromEntries(form?.fields ?? assert.fail('no form that sends'));
  };

  it('say who gets it, and of everybody else why not', async () => {
    const text = textOf((await get(await write()).expect(200)).text);
    assert.match(text, /3 people get this message/);
    for (const words of [
      'One account is locked locked LOCKED',
      'One has no mailbox nobox',
      'One account belongs to the system daemon',
      'One has the address of somebody else twin TWIN the same address as anna',
    ]) {
      assert.ok(text.includes(words), `${words} in ${text}`);
    }
    const board = textOf(
      (await get(await write({ include: ['board'], excludeNames: 'nobox' }))).text,
    );
    assert.match(board, /One person gets this message/);
  });

  it('leave out whose mail an alias leads to somebody who gets it anyway, and whose mail arrives nowhere', async () => {
    const rows = [
      { name: 'anna', targets: ['cora'] },
      { name: 'ben', targets: ['gone@example.com'] },
    ].map((row) => ({ ...row, note: '', enabled: true, updated_by: 'test' }));
    await pages.database.db('mail_aliases').insert(rows);
    const text = textOf((await get(await write()).expect(200)).text);
    assert.match(text, /anna ANNA an alias leads their mail to cora, who gets it anyway/);
    assert.match(text, /The mail of one person arrives nowhere ben/);
    assert.match(text, /One person gets this message/);
  });

  it('name every field that is wrong, keep what was typed, and write nothing', async () => {
    const wrong = typed({
      ...{ from: 'anna@elsewhere.example', subject: '', body: 'bell \u0007', rate: '0' },
      ...{ include: ['nogroup\u0001'], excludeNames: 'x'.repeat(300), fromName: 'y'.repeat(101) },
    });
    const answer = await post(`${PATH}/new`, wrong).expect(422);
    const text = textOf(answer.text);
    assert.match(
      text,
      /elsewhere\.example does not belong to this server.*such as info@example\.com/,
    );
    assert.match(text, /Enter what the message is about, such as/);
    assert.match(text, /holds a sign that cannot be sent/);
    assert.match(text, /“0” is no number of messages a minute/);
    assert.equal(answer.text.match(/aria-invalid="true"/g)?.length, 5);
    assert.ok(answer.text.includes('value="anna@elsewhere.example"'));
    const unknown = await post(`${PATH}/new`, typed({ excludeNames: 'anna nobody-here' })).expect(
      422,
    );
    assert.match(textOf(unknown.text), /no group and no user named “nobody-here”/);
    assert.ok(unknown.text.includes('value="anna nobody-here"'));
    for (const from of [
      '',
      'anna',
      'a b@example.com',
      'anna@example.com\r\nBcc: x@y',
      'a,b@example.com',
    ]) {
      await post(`${PATH}/new`, typed({ from })).expect(422);
    }
    assert.deepEqual(await pages.database.db('mail_bulk_mailings').select('id'), []);
  });

  it('show hostile text as text', async () => {
    const draft = await write({
      subject: HOSTILE,
      body: `# ${HOSTILE}\n**${HOSTILE}** {nmae}`,
      formatted: '1',
      fromName: HOSTILE,
    });
    for (const path of [draft, `${draft}/edit`, PATH]) {
      const { text } = await get(path).expect(200);
      assert.ok(!text.includes('<script>alert'), path);
      assert.ok(text.includes('&lt;script&gt;alert'), path);
    }
    assert.match(textOf((await get(draft)).text), /\{nmae\} is no placeholder/);
  });

  it('keep files of a form that is refused, and say when they are too large', async () => {
    const upload = (fields: Record<string, string | string[]>, bytes: number) => {
      let form = request(pages.host.app).post(`${PATH}/new`).field('_csrf', CSRF);
      for (const [name, value] of Object.entries(fields)) form = form.field(name, value);
      return form.attach('attachments', Buffer.alloc(bytes, 'x'), '../évil\u202e".pdf');
    };
    const refused = await upload(typed({ subject: '' }), 100).expect(422);
    const kept = /name="kept" value="([0-9a-f-]{36})" checked/.exec(refused.text)?.[1] ?? '';
    assert.match(textOf(refused.text), /évil__\.pdf 100 bytes/);
    const draft = await write({ kept });
    assert.match(textOf((await get(draft)).text), /Attachments évil__\.pdf \(100 bytes\)/);
    const large = await upload(typed(), 9 * 1024 * 1024).expect(422);
    assert.match(
      textOf(large.text),
      /the message has about 12 MB, and the mail server takes up to 10 MB/,
    );
    // A file of somebody else's form is nobody else's to take.
    const theft = request(pages.host.app).post(`${PATH}/new`).set('x-login', 'eve').type('form');
    const answer = await theft.send({ _csrf: CSRF, ...typed({ kept }) });
    assert.doesNotMatch(textOf((await get(String(answer.headers['location']))).text), /évil/);
  });

  it('let only those who may operate write, test and send', async () => {
    const draft = await write();
    for (const path of [`${PATH}/new`, `${draft}/edit`]) await get(path, 'mail.read').expect(403);
    for (const action of [
      'edit',
      'send',
      'send-test',
      'pause',
      'resume',
      'cancel',
      'remove',
      'decide',
      'again',
    ]) {
      await post(`${draft}/${action}`, {}).set('x-roles', 'mail.read').expect(403);
    }
    const { text } = await get(draft, 'mail.read').expect(200);
    assert.ok(!/<form method="post"/.test(text));
  });

  it('refuse a stale draft with both versions, and sending to others than were shown', async () => {
    const draft = await write();
    const before = await hidden(draft);
    await post(`${draft}/edit`, typed({ subject: 'Theirs', version: '1' })).expect(303);
    const stale = await post(`${draft}/edit`, typed({ subject: 'Mine', version: '1' })).expect(409);
    assert.match(textOf(stale.text), /anna changed this draft .* Theirs/);
    assert.ok(stale.text.includes('value="Mine"'));
    const answer = await post(`${draft}/send`, before).expect(409);
    assert.match(textOf(answer.text), /Nothing was sent/);
    const shown = await hidden(draft);
    await pages.restart({ users: USERS.slice(1) });
    await post(`${draft}/send`, shown).expect(409);
    await pages.restart();
    assert.equal((await pages.database.db('mail_bulk_recipients').select('no')).length, 0);
    await post(`${draft}/send`, shown).expect(303);
    const states = await pages.database
      .db('mail_bulk_recipients')
      .select<{ state: string }[]>('state');
    assert.equal(states.filter(({ state }) => state === 'waiting').length, 3);
    // A second click, and a change of what is being sent.
    await post(`${draft}/send`, shown).expect(303);
    await post(`${draft}/edit`, typed({ version: '2' })).expect(404);
    await post(`${draft}/send-test`, { to: 'me@example.com' }).expect(404);
    assert.ok(!pages.helper.calls.some(({ action }) => action === 'bulk-door'));
    assert.equal(
      (await pages.database.db('mail_bulk_recipients').select('no')).length,
      states.length,
    );
  });

  it('pause, go on, ask before stopping, and send again to those who did not get it', async () => {
    const draft = await write();
    await post(`${draft}/send`, await hidden(draft)).expect(303);
    await post(`${draft}/pause`, {}).expect(303);
    assert.match(textOf((await get(draft)).text), /Paused: 0 of 3 messages sent/);
    await post(`${draft}/resume`, {}).expect(303);
    const question = await post(`${draft}/cancel`, {}).expect(200);
    assert.match(textOf(question.text), /3 recipients have not got it yet/);
    await pages.database.db('mail_bulk_recipients').where({ no: 1 }).update({ state: 'delivered' });
    await pages.database
      .db('mail_bulk_recipients')
      .where({ no: 2 })
      .update({ state: 'refused', reply: `550 ${HOSTILE}` });
    await post(`${draft}/cancel`, { confirm: 'yes' }).expect(303);
    const text = textOf((await get(`${draft}?show=failed`)).text);
    assert.match(text, /The mailing was stopped: 2 of 3 messages sent/);
    const table = await get(`${draft}/export.csv`).expect(200);
    assert.match(table.text, /^\ufeffname,login,address,result,queue id,answer,sent\r\n/);
    assert.match(table.text, /,ben,ben@example\.com,refused,,"550 ""><script>/);
    const again = String((await post(`${draft}/again`, {}).expect(303)).headers['location']);
    assert.match(textOf((await get(again)).text), /2 people get this message/);
    assert.match(textOf((await get()).text), /News Stopped 1 of 3 sent, 1 failed/);
  });

  it('let a person decide about those whose message may have got through', async () => {
    const draft = await write();
    await post(`${draft}/send`, await hidden(draft)).expect(303);
    await pages.database
      .db('mail_bulk_recipients')
      .where({ state: 'waiting' })
      .update({ state: 'doubtful' });
    await pages.database.db('mail_bulk_mailings').update({ state: 'done' });
    assert.match(textOf((await get(draft)).text), /For 3 recipients nobody can tell/);
    await post(`${draft}/decide`, { do: 'again' }).expect(303);
    assert.match(textOf((await get(draft)).text), /0 of 3 messages sent/);
  });

  it('say that a test cannot be sent without the pages.helper, and keep the address', async () => {
    const draft = await write();
    for (const to of ['', 'x', 'a@b\r\nRCPT TO:<c@d>', '<a@example.com>']) {
      await post(`${draft}/send-test`, { to }).expect(422);
    }
    pages.helper.failure = AWAY;
    const answer = await post(`${draft}/send-test`, { to: 'me@example.com' }).expect(502);
    assert.ok(answer.text.includes('value="me@example.com"'));
    assert.ok(!answer.text.includes('<b>/run'));
  });

  it('know no mailing that is not there', async () => {
    for (const id of ['999999', '0', 'x', '1e3', '99999999999999999999']) {
      await get(`${PATH}/${id}`).expect(404);
      await post(`${PATH}/${id}/pause`, {}).expect(404);
    }
  });
});
