/** One message and its source, and the list in browsers: chromium with its row menus and live parts, lynx without any. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page as BrowserPage } from 'playwright-core';
import type { ActResult } from '../../lib/queue/schema.js';
import {
  axeViolations,
  openBrowser,
  scrollsSideways,
  type TestBrowser,
  type Visit,
} from '../support/browser.js';
import { startQueuePages, type QueuePages } from '../support/queue-pages.js';
import { TextBrowser } from '../support/text-browser.js';
import { htmlProblems } from '../support/valid-html.js';
import { until } from '../support/wait.js';

const LIST = '/mail/queue';
const LARGE_BYTES = 50 * 1024 * 1024;
/** Enough that some are left when the first has been told. */
const MANY = 300;

const HOSTILE = [
  'From: "<img src=x onerror=alert(1)>" <anna@acme.example>',
  'Subject: <script>alert(1)</script> \x1b]0;owned\x07\x1b[2J',
  'X-"><script>alert(2)</script>: <b>bold</b>',
  'X-Link: javascript:alert(3)',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary="b"',
  '',
  '--b',
  'Content-Type: text/plain',
  '',
  'Body \x1b[31mred\x1b[0m </pre><script>alert(4)</script> http://evil.example/',
  '--b',
  'Content-Type: text/html',
  'Content-Disposition: attachment; filename="../../<svg onload=alert(5)>.html"',
  '',
  '<script>alert(6)</script>',
  '--b--',
  '',
].join('\r\n');

describe('the mail queue in browsers', () => {
  let pages: QueuePages;
  let browser: TestBrowser;
  let hostile = '';
  let large = '';

  before(async () => {
    const later = { code: 450, text: '4.2.0 Greylisted' };
    [pages, browser] = await Promise.all([
      startQueuePages({ 'x@firma.example': later, 'y@firma.example': later }),
      openBrowser(),
    ]);
    await pages.root.set({ message_size_limit: String(2 * LARGE_BYTES) });
    hostile = await pages.root.mail({ to: 'x@firma.example', raw: HOSTILE });
    large = await pages.root.mail({ to: 'x@firma.example', raw: largeMail() });
    for (let mail = 0; mail < 4; mail += 1) await pages.root.mail({ to: 'y@firma.example' });
    await until('all to be put off', async () =>
      (await pages.root.rows()).every(({ queue }) => queue === 'deferred'),
    );
  });
  after(async () => {
    await browser.close();
    await pages.stop();
  });

  it('show a hostile mail as text: no markup, no link, no file name, no escape of it', async () => {
    const { html, status, headers } = await pages.client.get(`${LIST}/${hostile}`);
    assert.equal(status, 200);
    // eslint-disable-next-line no-control-regex -- what a terminal would obey
    assert.doesNotMatch(html, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    assert.doesNotMatch(html, /<(?:img|b|svg onload)\b[^>]*>/);
    assert.doesNotMatch(html, /<script(?![^>]* src="\/mail\/public\/)/);
    assert.doesNotMatch(html, /href="(?:javascript|http)/);
    for (const words of ['alert(1)', 'alert(2)', 'alert(4)', 'http://evil.example/']) {
      assert.ok(html.includes(words), `${words} is shown`);
    }
    assert.match(html, /&lt;svg onload=alert\(5\)&gt;\.html/);
    assert.doesNotMatch(html, /\.\.\//);
    assert.deepEqual(await htmlProblems(html), []);
    assert.ok(headers.get('content-type')?.startsWith('text/html'));
    const visit = await browser.visit();
    visit.page.on('dialog', () => assert.fail('a script of the mail ran'));
    await visit.page.goto(`${pages.url}${LIST}/${hostile}`);
    assert.deepEqual(visit.problems, []);
    await visit.close();
  });

  it('give the source as a file that no browser opens, as mail or as plain text', async () => {
    for (const [query, type, name] of [
      ['', 'message/rfc822', `${hostile}.eml`],
      ['?as=text', 'text/plain; charset=utf-8', `${hostile}.txt`],
    ] as const) {
      const answer = await pages.client.request('GET', `${LIST}/${hostile}/raw${query}`);
      assert.equal(answer.headers.get('content-type'), type);
      assert.equal(answer.headers.get('content-disposition'), `attachment; filename="${name}"`);
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
      assert.match(
        answer.headers.get('content-security-policy') ?? '',
        /default-src 'none'; sandbox/,
      );
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      const source = await answer.text();
      assert.ok(source.includes('Subject: <script>alert(1)</script> \x1b]0;owned'), 'unchanged');
    }
  });

  it('show a mail of 50 MB by its beginning, list its attachment, and download all of it', async () => {
    const page = await pages.client.get(`${LIST}/${large}`);
    assert.equal(page.status, 200);
    assert.ok(page.html.length < 100_000, `${page.html.length} characters`);
    assert.match(page.text, /The beginning of it/);
    assert.match(page.text, /film\.bin application\/octet-stream about \d\d\s?MB/);
    assert.match(page.text, /The whole mail has (?:49|5\d)\s?MB/);
    const answer = await pages.client.request('GET', `${LIST}/${large}/raw`);
    // Postfix keeps lines with a newline alone.
    const sent = largeMail().toString('latin1').replaceAll('\r\n', '\n').length;
    let bytes = 0;
    for await (const chunk of answer.body ?? []) bytes += (chunk as Uint8Array).length;
    assert.ok(bytes > sent && bytes < sent + 2_000, `${bytes} bytes of ${sent}`);
  });

  const openList = async (options = {}): Promise<Visit> => {
    const visit = await browser.visit(options);
    await visit.page.goto(`${pages.url}${LIST}?sort=oldest`);
    return visit;
  };
  /** Texts of all that match, or another property of them. */
  const all = (page: BrowserPage, selector: string, property = 'textContent'): Promise<string[]> =>
    page.evaluate<string[]>(
      `[...document.querySelectorAll('${selector}')].map((each) => each.${property}.trim())`,
    );
  const openMenus = (page: BrowserPage): Promise<string[]> =>
    all(page, 'tr:has(details.drop[open])', 'id');

  it('open a row’s menu at a right click, the menu key and Shift+F10, and Escape leads back', async () => {
    const visit = await openList();
    const { page } = visit;
    await page.click(`#q-${hostile} td.num`, { button: 'right' });
    assert.deepEqual(await openMenus(page), [`q-${hostile}`]);
    assert.deepEqual(await all(page, 'details.drop[open] :is(a, button)'), [
      'Display',
      'What became of it?',
      'Deliver now',
      'Hold',
      'Requeue',
      'Delete…',
    ]);
    await page.keyboard.press('Escape');
    assert.deepEqual(await openMenus(page), []);
    for (const key of ['Shift+F10', 'ContextMenu']) {
      await page.focus(`#q-${large} a.id`);
      await page.keyboard.press(key);
      assert.deepEqual(await openMenus(page), [`q-${large}`], key);
      await page.keyboard.press('ArrowDown');
      const second = await page.evaluate('document.activeElement.textContent.trim()');
      assert.equal(second, 'What became of it?', key);
      await page.keyboard.press('Escape');
      assert.equal(await page.evaluate('document.activeElement.className'), 'id', key);
    }
    await visit.close();
  });

  it('keep ticks, open rows, focus and place when the list is fetched anew', async () => {
    const visit = await openList({ height: 400 });
    const { page } = visit;
    await page.check(`#q-${hostile} input[name=ids]`);
    await page.click(`#q-${large} td details:not(.drop) summary`);
    await page.evaluate('window.scrollTo(0, 300)');
    await page.focus(`#q-${large} a.id`);
    const place = await page.evaluate<number>('window.scrollY');
    const fresh = await pages.root.mail({ to: 'y@firma.example', subject: 'came meanwhile' });
    await pages.root.waitFor(fresh, 'deferred');
    await until('the new mail in the list', async () => {
      await page.evaluate("document.body.dispatchEvent(new Event('queue-changed'))");
      await page.waitForTimeout(500);
      return page.$(`#q-${fresh}`);
    });
    assert.equal(await page.isChecked(`#q-${hostile} input[name=ids]`), true);
    assert.equal(await page.isChecked(`#q-${fresh} input[name=ids]`), false);
    assert.equal((await all(page, `#q-${large} td details[open]:not(.drop)`)).length, 1);
    assert.equal(await page.evaluate('document.activeElement.closest("tr").id'), `q-${large}`);
    assert.equal(await page.evaluate<number>('window.scrollY'), place);
    await visit.close();
  });

  it('follow an action to its end by themselves', async () => {
    const visit = await openList();
    const { page } = visit;
    const release = pages.hold('queue-act');
    await page.check(`#q-${large} input[name=ids]`);
    await page.click('.dock button[value=hold]');
    await page.waitForSelector('section.job progress');
    release();
    await page.waitForSelector('section.notice.ok:has-text("Hold: done")');
    await page.waitForSelector(`#q-${large} .chip:has-text("on hold")`);
    await visit.close();
  });

  for (const width of [1280, 360]) {
    it(`can be used by everybody at ${width} pixels`, async () => {
      const visit = await openList({ width, bypassCsp: true });
      const { page } = visit;
      assert.equal(await scrollsSideways(page), false);
      assert.deepEqual(await axeViolations(page), []);
      await page.goto(`${pages.url}${LIST}/${hostile}`);
      assert.equal(await scrollsSideways(page), false);
      assert.deepEqual(await axeViolations(page), []);
      await visit.close();
    });
  }

  it('find, display and delete a message without script, style and mouse', async () => {
    const id = await pages.root.mail({ to: 'y@firma.example', from: 'lost@acme.example' });
    await until('the list to be newer', async () =>
      (await pages.client.get(`${LIST}?q=lost@`)).html.includes(id),
    );
    const lynx = await TextBrowser.open(`${pages.url}${LIST}`);
    try {
      await lynx.waitFor('Why mail waits');
      await lynx.fill('Address or ID contains', 'lost@');
      await lynx.press('Filter');
      await lynx.waitFor('One mail matches the filter');
      await lynx.press('Display');
      const shown = await lynx.waitFor('could not be delivered yet');
      assert.match(shown, /Greylisted/);
      // A button of lynx shows the value it sends.
      await lynx.press(`delete ${id}`);
      await lynx.waitFor('Delete one mail for good?');
      await lynx.press('Delete one mail');
      await lynx.waitFor('Delete: done');
      await lynx.waitFor('One mail was deleted.');
    } finally {
      await lynx.close();
    }
    assert.equal(
      (await pages.root.rows()).some((row) => row.id === id),
      false,
    );
  });

  it('stop half way when they are told to: what is done is counted, the rest is not touched', async () => {
    await pages.root.bulk(MANY);
    const waiting = await until('all to be put off', async () => {
      const rows = await pages.root.rows();
      const bulk = rows.filter(({ sender }) => sender === 'bulk@acme.example');
      return bulk.length === MANY && bulk.every(({ queue }) => queue === 'deferred') ? bulk : null;
    });
    const abort = new AbortController();
    const result = (await pages.root.transport.request(
      'queue-act',
      { action: 'deliver' },
      {
        actor: 'anna',
        signal: abort.signal,
        input: [waiting.map(({ id }) => id)],
        onProgress: () => abort.abort(),
      },
    )) as ActResult;
    assert.equal(result.cancelled, true);
    assert.ok(result.done > 0 && result.done < MANY, `${result.done} done`);
  });
});

function largeMail(): Buffer {
  const line = `${'QUJD'.repeat(19)}\r\n`;
  const head = [
    'Subject: large',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="b"',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'The beginning of it',
    '--b',
    'Content-Type: application/octet-stream; name="film.bin"',
    'Content-Disposition: attachment; filename="film.bin"',
    'Content-Transfer-Encoding: base64',
    '',
    '',
  ].join('\r\n');
  return Buffer.from(`${head}${line.repeat(Math.ceil(LARGE_BYTES / line.length))}--b--\r\n`);
}
