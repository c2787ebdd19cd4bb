import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from '../support/test-console.js';
import { startTestConsole, tokenIn, type TestConsole } from '../support/test-console.js';

describe('changes that another site makes a browser send', () => {
  let test: TestConsole;
  let browser: Browser;

  const change = (token: string | null, headers: Record<string, string>) => {
    const request = browser.agent.post('/network').set(headers).type('form');
    const proxy = `http://${String(Math.floor(Math.random() * 1e9))}.example:3128`;
    return request.send({ proxy, version: '0', ...(token === null ? {} : { _csrf: token }) });
  };
  const token = async () => tokenIn((await browser.get('/network')).text);
  const saved = async () =>
    (await test.database.db('console_settings').where({ id: 'network' })).length > 0;

  before(async () => {
    test = await startTestConsole();
    await test.account('anna');
    browser = test.browser();
    await browser.signIn('anna');
  });
  after(() => test.close());

  it('are refused without the token', async () => {
    assert.equal((await change(null, { 'Sec-Fetch-Site': 'same-origin' })).status, 403);
    assert.equal((await change('', { 'Sec-Fetch-Site': 'same-origin' })).status, 403);
    assert.equal(await saved(), false);
  });

  it('are refused with a wrong token, or that of somebody else', async () => {
    await test.account('eve');
    const other = test.browser();
    await other.signIn('eve');
    const theirs = tokenIn((await other.get('/network')).text);
    const guest = tokenIn((await test.browser().get('/login')).text);
    for (const wrong of [theirs, guest, 'x', 'ä'.repeat(43)]) {
      assert.equal((await change(wrong, { 'Sec-Fetch-Site': 'same-origin' })).status, 403);
    }
    assert.equal(await saved(), false);
  });

  it('are refused from elsewhere even with the right token', async () => {
    const right = await token();
    const host = { Host: 'console.example:8080' };
    const foreign: Record<string, string>[] = [
      { 'Sec-Fetch-Site': 'cross-site' },
      // Another port of the same host is the same site, and not ours.
      { 'Sec-Fetch-Site': 'same-site' },
      { ...host, Origin: 'https://evil.example' },
      { ...host, Origin: 'http://console.example:8081' },
      { ...host, Origin: 'null' },
      { ...host, Referer: 'https://evil.example/console.example:8080' },
    ];
    for (const headers of foreign) {
      const answer = await change(right, headers);
      assert.equal(answer.status, 403, JSON.stringify(headers));
      assert.match(answer.text, /another site/);
    }
    assert.equal(await saved(), false);
  });

  it('pass with the token from our own pages, and from a browser that says nothing', async () => {
    const host = { Host: 'console.example:8080' };
    const ours: Record<string, string>[] = [
      { 'Sec-Fetch-Site': 'same-origin' },
      { ...host, Origin: 'http://console.example:8080' },
      { ...host, Referer: 'http://console.example:8080/network' },
      {},
    ];
    for (const headers of ours) {
      const answer = await change(await token(), headers);
      // 303: saved; 409: somebody (the round before) saved first. Both have passed.
      assert.ok([303, 409].includes(answer.status), JSON.stringify(headers));
    }
    assert.equal(await saved(), true);
  });

  it('cannot sign anybody in', async () => {
    const stranger = test.browser();
    await stranger.get('/login');
    const answer = await stranger.send('/login', { username: 'anna', password: 'x' });
    assert.equal(answer.status, 403);
    const token = tokenIn((await stranger.get('/login')).text);
    const cross = await stranger.send(
      '/login',
      { _csrf: token, username: 'anna', password: 'correct horse battery' },
      { 'Sec-Fetch-Site': 'cross-site' },
    );
    assert.equal(cross.status, 403);
    assert.equal((await stranger.get('/account')).status, 303);
  });

  it('cannot sign anybody out, or change the language', async () => {
    for (const path of ['/logout', '/language']) {
      assert.equal((await browser.send(path, { language: 'de' })).status, 403);
      assert.notEqual((await browser.get(path)).status, 200);
    }
    assert.equal((await browser.get('/account')).status, 200);
  });
});
