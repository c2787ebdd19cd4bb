import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { FAILURES_PER_ACCOUNT, FAILURES_PER_ADDRESS } from '../../lib/console/sign-in/limits.js';
import { PASSWORD, startTestConsole, type TestConsole } from '../support/test-console.js';

describe('guessing passwords', () => {
  let test: TestConsole;

  before(async () => {
    test = await startTestConsole();
    for (const login of ['anna', 'ben']) await test.account(login);
  });
  after(() => test.close());

  it('is stopped per account, even for the right password, and then per address', async () => {
    const browser = test.browser();
    for (let attempt = 0; attempt < FAILURES_PER_ACCOUNT; attempt += 1) {
      assert.equal((await browser.signIn('anna', `guess ${String(attempt)}`)).status, 401);
    }
    const late = await browser.signIn('anna', PASSWORD);
    assert.equal(late.status, 429);
    assert.ok(Number(late.headers['retry-after']) > 0);
    assert.match(late.text, /value="anna"/);
    assert.match(late.text, /Too many failed attempts/);
    assert.equal((await browser.get('/account')).status, 303, 'nobody is signed in');

    // Another account from the same address still works, and success does not count as an attempt.
    for (let time = 0; time < 3; time += 1) {
      assert.equal((await test.browser().signIn('ben')).status, 303);
    }

    const known = test.browser();
    assert.equal((await known.signIn('ben')).status, 303);
    assert.equal((await known.submit('/account', '/logout', {})).status, 303);

    const left = FAILURES_PER_ADDRESS - FAILURES_PER_ACCOUNT - 1;
    for (let attempt = 0; attempt < left; attempt += 1) {
      assert.equal((await browser.signIn(`nobody-${String(attempt)}`, 'guess')).status, 401);
    }
    assert.equal((await test.browser().signIn('ben')).status, 429);
    assert.equal((await known.signIn('ben')).status, 303, 'his own browser is not shut out');
  });
});
