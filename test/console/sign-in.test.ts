import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  Browser,
  fieldIn,
  PASSWORD,
  startTestConsole,
  tokenIn,
  type TestConsole,
} from '../support/test-console.js';

describe('signing in', () => {
  let test: TestConsole;

  before(async () => {
    test = await startTestConsole();
    await test.account('anna');
    await test.account('otto', { manages: false });
  });
  after(() => test.close());

  it('sends a stranger to the sign-in page and back to where they wanted', async () => {
    const browser = test.browser();
    const asked = await browser.get('/account?x=1');
    assert.equal(asked.status, 303);
    assert.equal(asked.headers['location'], '/login?next=%2Faccount%3Fx%3D1');
    const page = await browser.get(asked.headers['location']);
    assert.equal(page.status, 200);
    const done = await browser.send('/login', {
      _csrf: tokenIn(page.text),
      username: 'anna',
      password: PASSWORD,
      next: fieldIn(page.text, 'next'),
    });
    assert.equal(done.status, 303);
    assert.equal(done.headers['location'], '/account?x=1');
    assert.equal((await browser.get('/account')).status, 200);
  });

  it('asks for a sign-in at addresses that do not exist as well', async () => {
    assert.equal((await test.browser().get('/nowhere')).status, 303);
  });

  it('takes the login in capitals and with blanks around it', async () => {
    assert.equal((await test.browser().signIn(' Anna ')).status, 303);
  });

  it('refuses a wrong password and keeps the user name', async () => {
    const answer = await test.browser().signIn('anna', 'not the password');
    assert.equal(answer.status, 401);
    assert.match(answer.text, /value="anna"/);
    assert.doesNotMatch(answer.text, /not the password/);
    assert.match(answer.text, /<title>Error: /);
  });

  it('answers an unknown login with the same words as a wrong password', async () => {
    const words = (html: string) => /<h2 id="trouble">(.*?)<\/h2>/.exec(html)?.[1];
    const unknown = await test.browser().signIn('nobody', 'not the password');
    const wrong = await test.browser().signIn('anna', 'not the password');
    assert.equal(unknown.status, 401);
    assert.notEqual(words(unknown.text), undefined);
    assert.equal(words(unknown.text), words(wrong.text));
  });

  it('refuses empty fields, and fields sent twice, with 422', async () => {
    assert.equal((await test.browser().signIn('anna', '')).status, 422);
    assert.equal((await test.browser().signIn('')).status, 422);
    const browser = test.browser();
    const token = tokenIn((await browser.get('/login')).text);
    const twice = await browser.agent
      .post('/login')
      .set('Sec-Fetch-Site', 'same-origin')
      .type('form')
      .send(`_csrf=${token}&username=anna&password=a&password=b`);
    assert.equal(twice.status, 422);
  });

  it('tells only someone who knows the password that the account is switched off', async () => {
    const id = await test.account('off');
    const { version } = await test.console.accounts.get(id);
    await test.console.accounts.setDisabled(id, version, true);
    const right = await test.browser().signIn('off');
    assert.equal(right.status, 401);
    assert.match(right.text, /switched off/);
    const wrong = await test.browser().signIn('off', 'not the password');
    assert.doesNotMatch(wrong.text, /switched off/);
  });

  it('ends a session at once when its account is switched off', async () => {
    const id = await test.account('kicked');
    const browser = test.browser();
    await browser.signIn('kicked');
    assert.equal((await browser.get('/account')).status, 200);
    const { version } = await test.console.accounts.get(id);
    await test.console.accounts.setDisabled(id, version, true);
    assert.equal((await browser.get('/account')).status, 303);
  });

  it('never leads to another site after signing in', async () => {
    const evil = [
      'https://evil.example/',
      '//evil.example/',
      '/\\evil.example/',
      '/\t/evil.example/',
      'javascript:alert(1)',
      '/..//evil.example/',
      `/${'a'.repeat(5000)}`,
    ];
    for (const next of evil) {
      const answer = await test.browser().signIn('anna', PASSWORD, { next });
      assert.equal(answer.status, 303);
      assert.equal(answer.headers['location'], '/mail', next);
      const page = await test.browser().get(`/login?next=${encodeURIComponent(next)}`);
      assert.doesNotMatch(page.text, /name="next"/, next);
    }
  });

  it('gives a new session id, whatever the browser came with', async () => {
    const planted = 's%3Aplanted.c2lnbmF0dXJl';
    const name = `console-${await cookieSuffix(test)}`;
    const browser = new Browser(test.console, { Cookie: `${name}=${planted}` });
    const answer = await browser.agent
      .post('/login')
      .set({ 'Sec-Fetch-Site': 'same-origin' })
      .type('form')
      .send({ username: 'anna', password: PASSWORD });
    // Without the token nobody is signed in, and the planted id is not taken over.
    assert.equal(answer.status, 403);
    assert.equal(answer.headers['set-cookie']?.toString().includes('planted'), false);

    const own = test.browser();
    const first = await own.signIn('anna');
    const before = sessionCookie(first.headers['set-cookie'], name);
    const second = await own.submit('/account', '/login', { username: 'anna', password: PASSWORD });
    assert.equal(second.status, 303);
    const afterwards = sessionCookie(second.headers['set-cookie'], name);
    assert.notEqual(before, null);
    assert.notEqual(afterwards, null);
    assert.notEqual(before, afterwards);
  });

  it('signs out: the old cookie is worth nothing any more', async () => {
    const browser = test.browser();
    const signedIn = await browser.signIn('anna');
    const cookies = (signedIn.headers['set-cookie'] as unknown as string[]).map(
      (cookie) => cookie.split(';')[0],
    );
    const left = await browser.submit('/account', '/logout', {});
    assert.equal(left.status, 303);
    assert.equal(left.headers['location'], '/login');
    const replay = new Browser(test.console, { Cookie: cookies.join('; ') });
    assert.equal((await replay.get('/account')).status, 303);
  });

  it('writes no password and no cookie into the log', async () => {
    await test.browser().signIn('anna', 'hunter2-canary');
    const browser = test.browser();
    await browser.signIn('anna');
    await browser.get('/account?secret=canary-query');
    const log = test.log.join('');
    assert.doesNotMatch(log, /canary/);
    assert.doesNotMatch(log, /console-[0-9a-f]{8}=/);
    assert.match(log, /sign-in refused/);
  });
});

async function cookieSuffix(test: TestConsole): Promise<string> {
  const cookies = String((await test.browser().get('/login')).headers['set-cookie']);
  const suffix = /console-guest-([0-9a-f]{8})=/.exec(cookies)?.[1];
  assert.ok(suffix, 'the sign-in page sets the guest cookie');
  return suffix;
}

function sessionCookie(header: unknown, name: string): string | null {
  const cookie = (header as string[] | undefined)?.find((text) => text.startsWith(`${name}=`));
  return cookie?.split(';')[0] ?? null;
}
