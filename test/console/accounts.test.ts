import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MIN_PASSWORD_LENGTH } from '../../lib/console/accounts/schema.js';
import {
  fieldIn,
  PASSWORD,
  startTestConsole,
  type Browser,
  type TestConsole,
} from '../support/test-console.js';

const FORM = { login: 'ben', name: 'Ben Ø', email: 'ben@acme.example', kind: 'own', level: 'read' };

describe('accounts', () => {
  let test: TestConsole;
  let anna: Browser;
  let annasId: string;

  before(async () => {
    test = await startTestConsole();
    annasId = await test.account('anna');
    anna = test.browser();
    await anna.signIn('anna');
  });
  after(() => test.close());

  const version = async (id: string) => String((await test.console.accounts.get(id)).version);
  const idOf = async (login: string) =>
    (await test.console.accounts.list()).find((account) => account.login === login)?.id ?? '';

  it('are added, and can be signed in with', async () => {
    const added = await anna.submit('/accounts/new', '/accounts/new', {
      ...FORM,
      password: 'a new password',
    });
    assert.equal(added.status, 303);
    const list = (await anna.get('/accounts')).text;
    assert.match(list, /role="status"/);
    assert.match(list, /Ben Ø/);
    assert.equal((await test.browser().signIn('ben', 'a new password')).status, 303);
    const { roles } = await test.console.accounts.get(await idOf('ben'));
    assert.deepEqual(roles, ['mail.read']);
  });

  it('lead to where mail for them goes, for who may see that', async () => {
    const way = '/mail/route?address=ben%40acme.example';
    const path = `/accounts/${await idOf('ben')}`;
    const link = /<a href="([^"]*route[^"]*)"/.exec((await anna.get(path)).text)?.[1];
    assert.equal(link, way);
    assert.equal((await anna.get(way)).status, 200);
    await test.account('manager', { level: 'none', manages: true });
    const manager = test.browser();
    await manager.signIn('manager');
    assert.doesNotMatch((await manager.get(path)).text, /mail\/route/);
  });

  it('are refused field by field, with everything typed kept but the password', async () => {
    const answer = await anna.submit('/accounts/new', '/accounts/new', {
      ...FORM,
      login: '1 bad login',
      email: 'not an address',
      level: 'god',
      password: 'canary-password',
    });
    assert.equal(answer.status, 422);
    for (const field of ['login', 'email', 'level']) {
      assert.match(answer.text, new RegExp(`<a href="#${field}">`), field);
    }
    assert.match(answer.text, /value="1 bad login"/);
    assert.match(answer.text, /value="Ben Ø"/);
    assert.doesNotMatch(answer.text, /canary-password/);
    assert.match(answer.text, /<title>Error: /);
  });

  it('are refused for a taken login, a hostile value, a weak password', async () => {
    const post = (changes: Record<string, string>) =>
      anna.submit('/accounts/new', '/accounts/new', {
        ...FORM,
        login: 'carl',
        password: PASSWORD,
        ...changes,
      });
    const refused: Record<string, string>[] = [
      { login: 'anna' },
      { login: 'ANNA' },
      { login: 'carl\nroot' },
      { login: 'carl\u0000' },
      { login: '"><script>' },
      { login: 'c'.repeat(100_000) },
      { name: 'two\nlines' },
      { name: 'sep\u2028arator' },
      { email: 'a@b.example\r\nBcc: c@d.example' },
      { password: 'x'.repeat(MIN_PASSWORD_LENGTH - 1) },
      { password: 'x'.repeat(2000) },
      { password: 'aaaaaaaaaaaa' },
      { password: 'my-carl-password' },
      { kind: 'root' },
    ];
    for (const changes of refused) {
      const answer = await post(changes);
      assert.equal(answer.status, 422, JSON.stringify(changes).slice(0, 80));
      assert.doesNotMatch(answer.text, /"><script>/);
    }
    assert.equal(await idOf('carl'), '');
  });

  it('are switched off and on by who looks after the console', async () => {
    const id = await test.account('dora');
    const fields = { version: await version(id) };
    assert.equal((await anna.submit('/accounts', `/accounts/${id}/disable`, fields)).status, 303);
    assert.equal((await test.browser().signIn('dora')).status, 401);
    const again = { version: await version(id) };
    assert.equal((await anna.submit('/accounts', `/accounts/${id}/enable`, again)).status, 303);
    assert.equal((await test.browser().signIn('dora')).status, 303);
  });

  it('are removed with their sessions', async () => {
    const id = await test.account('emil');
    const emil = test.browser();
    await emil.signIn('emil');
    const question = await anna.get(`/accounts/${id}/remove`);
    assert.match(question.text, /emil/);
    const fields = { version: fieldIn(question.text, 'version') };
    assert.equal((await anna.submit('/accounts', `/accounts/${id}/remove`, fields)).status, 303);
    assert.equal((await emil.get('/account')).status, 303);
    assert.equal((await anna.get(`/accounts/${id}`)).status, 404);
    assert.equal((await anna.get('/accounts/nonsense')).status, 404);
  });

  it('keep one that can look after the console, by every way', async () => {
    for (const { id } of await test.console.accounts.list()) {
      if (id === annasId) continue;
      const account = await test.console.accounts.get(id);
      await test.console.accounts.remove(id, account.version);
    }
    const own = { version: await version(annasId) };
    const ways: [string, Record<string, string>][] = [
      [`/accounts/${annasId}/disable`, own],
      [`/accounts/${annasId}/remove`, own],
      [`/accounts/${annasId}`, { ...own, name: '', email: '', level: 'admin' }],
    ];
    for (const [path, fields] of ways) {
      const answer = await anna.submit('/accounts', path, fields);
      assert.equal(answer.status, 422, path);
      assert.match(answer.text, /Nobody could look after this console/);
    }
    assert.equal(await version(annasId), own.version, 'nothing was changed');
    assert.equal((await anna.get('/accounts')).status, 200);
  });

  it('keep one also when two are taken away at the same time', async () => {
    const id = await test.account('second');
    const results = await Promise.allSettled(
      [id, annasId].map(async (one) => {
        const account = await test.console.accounts.get(one);
        await test.console.accounts.setDisabled(one, account.version, true);
      }),
    );
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    const off = (await test.console.accounts.list()).find(({ disabled }) => disabled);
    if (off !== undefined) await test.console.accounts.setDisabled(off.id, off.version, false);
    anna = test.browser();
    await anna.signIn('anna');
  });

  it('changed meanwhile answer 409, with what was typed', async () => {
    const id = await test.account('fred');
    const stale = await version(id);
    const fields = { version: stale, level: 'read', name: 'First', email: '' };
    assert.equal((await anna.submit('/accounts', `/accounts/${id}`, fields)).status, 303);
    const second = { ...fields, name: 'Second' };
    const answer = await anna.submit('/accounts', `/accounts/${id}`, second);
    assert.equal(answer.status, 409);
    assert.match(answer.text, /value="Second"/);
    assert.equal((await test.console.accounts.get(id)).name, 'First');
    assert.equal(fieldIn(answer.text, 'version'), await version(id));
  });

  it('get a new password from an administrator, which ends their sessions', async () => {
    const id = await test.account('gina');
    const gina = test.browser();
    await gina.signIn('gina');
    const fields = { version: await version(id), level: 'read', name: '', email: '' };
    const path = `/accounts/${id}`;
    const kept = await anna.submit('/accounts', path, { ...fields, password: '' });
    assert.equal(kept.status, 303);
    assert.equal((await gina.get('/account')).status, 200, 'an empty field changes no password');
    const next = { ...fields, version: await version(id), password: 'a wholly new one' };
    assert.equal((await anna.submit('/accounts', path, next)).status, 303);
    assert.equal((await gina.get('/account')).status, 303);
    assert.equal((await test.browser().signIn('gina')).status, 401);
    assert.equal((await test.browser().signIn('gina', 'a wholly new one')).status, 303);
  });
});

describe('a password of one’s own', () => {
  let test: TestConsole;

  before(async () => {
    test = await startTestConsole();
    await test.account('anna');
  });
  after(() => test.close());

  it('is changed by who knows the present one; other sessions end, this one stays', async () => {
    const [here, there] = [test.browser(), test.browser()];
    await here.signIn('anna');
    await there.signIn('anna');
    const change = (changes: Record<string, string>) =>
      here.submit('/account', '/account/password', {
        currentPassword: PASSWORD,
        password: 'grüne Äpfel 2026',
        repeatedPassword: 'grüne Äpfel 2026',
        ...changes,
      });
    for (const [field, value] of [
      ['currentPassword', 'wrong'],
      ['repeatedPassword', 'other'],
      ['password', 'short'],
    ] as const) {
      const answer = await change({ [field]: value });
      assert.equal(answer.status, 422, field);
      assert.doesNotMatch(answer.text, /Äpfel/);
    }
    assert.equal((await there.get('/account')).status, 200);
    assert.equal((await change({})).status, 303);
    assert.equal((await here.get('/account')).status, 200);
    assert.equal((await there.get('/account')).status, 303);
    assert.equal((await test.browser().signIn('anna')).status, 401);
    // The same password as another keyboard types it: letters and marks apart (NFD).
    const composed = 'grüne Äpfel 2026'.normalize('NFD');
    assert.equal((await test.browser().signIn('anna', composed)).status, 303);
  });

  it('is kept as an argon2id hash only', async () => {
    const rows = await test.database
      .db<{ password_hash: string }>('console_accounts')
      .select('password_hash');
    for (const { password_hash } of rows) {
      assert.match(password_hash, /^\$argon2id\$v=19\$m=65536,t=3,p=1\$/);
    }
  });
});

describe('the first account', () => {
  it('is made once, with a password nobody chose', async () => {
    const test = await startTestConsole();
    try {
      const first = await test.console.accounts.createFirst('admin');
      assert.ok(first);
      assert.match(first.password, /^[a-z2-9]{5}(-[a-z2-9]{5}){3}$/);
      assert.equal(await test.console.accounts.createFirst('admin'), null);
      assert.equal((await test.browser().signIn('admin', first.password)).status, 303);
    } finally {
      await test.close();
    }
  });
});
