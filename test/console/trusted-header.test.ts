import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { EnvironmentError, readEnvironment } from '../../lib/console/environment.js';
import type { Console } from '../../lib/console/console.js';
import { Browser, startTestConsole, tokenIn, type TestConsole } from '../support/test-console.js';

const HEADER = 'x-remote-user';

describe('a person whom the reverse proxy has signed in', () => {
  let test: TestConsole;
  let behind: Console;

  before(async () => {
    test = await startTestConsole();
    await test.account('anna');
    await test.account('otto', { level: 'read', manages: false });
    behind = test.beside({ trustedUserHeader: HEADER, behindProxy: true });
  });
  after(() => test.close());

  const as = (login: string) => new Browser(behind, { [HEADER]: login });

  it('is let in under the account of that name, with its rights', async () => {
    assert.equal((await as('anna').get('/accounts')).status, 200);
    assert.equal((await as('Anna').get('/accounts')).status, 200);
    assert.equal((await as('otto').get('/mail')).status, 200);
    assert.equal((await as('otto').get('/accounts')).status, 403);
  });

  it('is nobody without an account, without a name, or when it is switched off', async () => {
    const id = await test.account('off');
    const { version } = await test.console.accounts.get(id);
    await test.console.accounts.setDisabled(id, version, true);
    for (const login of ['stranger', 'off', '', "anna' or 1=1", 'x'.repeat(5000)]) {
      const answer = await as(login).get('/account');
      assert.equal(answer.status, 403, login.slice(0, 30));
    }
    assert.equal((await new Browser(behind).get('/account')).status, 403);
  });

  it('has no sign-in page, no sign-out button, and still needs the token', async () => {
    const page = await as('anna').get('/account');
    assert.doesNotMatch(page.text, /action="\/logout"/);
    assert.equal((await as('anna').get('/login')).status, 404);
    const anna = as('anna');
    const token = tokenIn((await anna.get('/network')).text);
    const fields = { proxy: 'http://proxy.example:3128', version: '0' };
    assert.equal((await anna.send('/network', fields)).status, 403);
    const cross = { 'Sec-Fetch-Site': 'cross-site' };
    assert.equal((await anna.send('/network', { ...fields, _csrf: token }, cross)).status, 403);
    assert.equal((await anna.send('/network', { ...fields, _csrf: token })).status, 303);
    const theirs = tokenIn((await as('otto').get('/account')).text);
    assert.equal((await anna.send('/network', { ...fields, _csrf: theirs })).status, 403);
  });

  it('is not believed by a console that was not told to', async () => {
    const browser = new Browser(test.console, { [HEADER]: 'anna' });
    assert.equal((await browser.get('/account')).status, 303);
  });
});

describe('the environment', () => {
  const env = { MAILSERVER_STATE: '/var/lib/x', MAILSERVER_LISTEN: '127.0.0.1:0' };

  it('refuses a trusted header on a TCP port', () => {
    for (const listen of ['127.0.0.1:80', '[::1]:80', '0.0.0.0:80', 'localhost:80']) {
      assert.throws(
        () =>
          readEnvironment({
            ...env,
            MAILSERVER_LISTEN: listen,
            MAILSERVER_TRUSTED_USER_HEADER: 'X-Remote-User',
          }),
        (error) => error instanceof EnvironmentError && /unix/.test(error.message),
      );
    }
  });

  it('takes a trusted header on a unix socket', () => {
    const read = readEnvironment({
      ...env,
      MAILSERVER_LISTEN: 'unix:/run/mailserver/console.sock',
      MAILSERVER_TRUSTED_USER_HEADER: 'X-Remote-User',
    });
    assert.equal(read.trustedUserHeader, 'x-remote-user');
    assert.deepEqual(read.listen, { kind: 'unix', path: '/run/mailserver/console.sock' });
  });

  it('reads an address, with brackets for IPv6', () => {
    const listen = (value: string) => readEnvironment({ ...env, MAILSERVER_LISTEN: value }).listen;
    assert.deepEqual(listen('127.0.0.1:8080'), { kind: 'tcp', host: '127.0.0.1', port: 8080 });
    assert.deepEqual(listen('[::1]:0'), { kind: 'tcp', host: '::1', port: 0 });
  });

  it('names the variable that is wrong', () => {
    const wrong: Record<string, string>[] = [
      { MAILSERVER_STATE: '' },
      { MAILSERVER_STATE: 'relative' },
      { MAILSERVER_LISTEN: '8080' },
      { MAILSERVER_LISTEN: '127.0.0.1:70000' },
      { MAILSERVER_BRAND: '{' },
      { MAILSERVER_BRAND: '{"vendor":"no product"}' },
      { MAILSERVER_BRAND: '{"product":"x","color":"red;} body{display:none"}' },
      { MAILSERVER_FIRST_ADMIN: 'Root!' },
      { MAILSERVER_LOG_LEVEL: 'loud' },
    ];
    for (const change of wrong) {
      const [name = ''] = Object.keys(change);
      assert.throws(
        () => readEnvironment({ ...env, ...change }),
        (error) => error instanceof EnvironmentError && error.message.includes(name),
        JSON.stringify(change),
      );
    }
  });
});
