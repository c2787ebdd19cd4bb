import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from '../support/test-console.js';
import { startTestConsole, type TestConsole } from '../support/test-console.js';

describe('every answer', () => {
  let test: TestConsole;
  let browser: Browser;

  before(async () => {
    test = await startTestConsole();
    await test.account('anna');
    browser = test.browser();
    await browser.signIn('anna');
  });
  after(() => test.close());

  it('lets a page load only what we serve, and nobody frame it', async () => {
    for (const path of ['/login', '/account', '/mail', '/nowhere', '/console/brand.css']) {
      const { headers } = await browser.get(path);
      assert.equal(
        headers['content-security-policy'],
        "default-src 'none';script-src 'self';style-src 'self';img-src 'self';connect-src 'self';" +
          "form-action 'self';base-uri 'none';frame-ancestors 'none'",
        path,
      );
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['x-frame-options'], 'DENY');
      // Not `no-referrer`: browsers would send `Origin: null` with our own forms.
      assert.equal(headers['referrer-policy'], 'same-origin');
      assert.equal(headers['x-powered-by'], undefined);
    }
  });

  it('with a page in it is never stored, nor shown again unasked by a text browser', async () => {
    const never = 'no-store, no-cache';
    for (const path of ['/account', '/mail', '/accounts', '/nowhere']) {
      assert.equal((await browser.get(path)).headers['cache-control'], never, path);
    }
    assert.equal((await test.browser().get('/login')).headers['cache-control'], never);
  });

  it('has no inline script or style', async () => {
    for (const path of ['/login', '/account', '/accounts', '/accounts/new', '/network', '/mail']) {
      const { text } = await (path === '/login' ? test.browser() : browser).get(path);
      assert.doesNotMatch(text, /<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=/i, path);
    }
  });

  it('to a request that breaks tells a number, and nothing of the inside', async () => {
    await test.database.db.schema.renameTable('console_settings', 'elsewhere');
    const answer = await browser.get('/network');
    await test.database.db.schema.renameTable('elsewhere', 'console_settings');
    assert.equal(answer.status, 500);
    assert.doesNotMatch(answer.text, /console_settings|relation|node_modules|at .*\.js/);
    const number = /<code>([0-9a-f]{8})<\/code>/.exec(answer.text)?.[1];
    assert.ok(number);
    const entry = test.log.find(
      (line) => line.includes(number) && line.includes('console_settings'),
    );
    assert.ok(entry, 'the log has the whole error under this number');
    assert.match(answer.text, /help@acme\.example/);
  });

  it('to too much, or to something unreadable, is a page and not an error', async () => {
    const large = await browser.send('/network', { proxy: 'x'.repeat(2_200_000) });
    assert.equal(large.status, 413);
    const odd = await browser.agent
      .post('/network')
      .set('Content-Type', 'application/x-www-form-urlencoded; charset=klingon')
      .send('a=b');
    assert.equal(odd.status, 415);
    const strange = await test.browser().send('/login', { username: 'x'.repeat(300_000) });
    assert.equal(strange.status, 413, 'strangers are read less far');
  });
});

describe('the brand', () => {
  it('stands on every page, and its colour comes as a stylesheet', async () => {
    const brand = { product: 'Nord <b>& Co</b>', vendor: '', support: '', color: 'rebeccapurple' };
    const test = await startTestConsole({ brand });
    try {
      const page = await test.browser().get('/login');
      assert.match(page.text, /Nord &lt;b&gt;&amp; Co&lt;\/b&gt;/);
      assert.doesNotMatch(page.text, /<b>/);
      assert.match(page.text, /href="\/console\/brand\.css"/);
      const style = await test.browser().get('/console/brand.css');
      assert.equal(style.text, ':root{--brand:rebeccapurple}\n');
    } finally {
      await test.close();
    }
  });
});
