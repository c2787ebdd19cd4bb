import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import {
  axeViolations,
  openBrowser,
  scrollsSideways,
  signIn,
  type TestBrowser,
  type VisitOptions,
} from '../support/browser.js';
import { recordingHelper } from '../support/recording-helper.js';
import { PASSWORD, startTestConsole, type TestConsole } from '../support/test-console.js';
import { htmlProblems } from '../support/valid-html.js';

const PAGES = [
  '/login',
  '/account',
  '/accounts',
  '/accounts/new',
  '/accounts/1',
  '/accounts/1/remove',
  '/network',
  '/nowhere',
  '/mail/configuration/base',
];
const LOOKS: readonly VisitOptions[] = [
  { width: 1280 },
  { width: 320, dark: true, language: 'de' },
  { width: 1920, dark: true, language: 'nl' },
  { width: 640, language: 'fr' },
];

describe('the console in a browser', () => {
  let test: TestConsole;
  let server: Server;
  let browser: TestBrowser;
  let url: string;

  before(async () => {
    test = await startTestConsole({ helper: recordingHelper() });
    await test.account('anna');
    await test.account('ben', { name: 'Ben Ostrowski', level: 'read', manages: false });
    server = createServer(test.console.app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    browser = await openBrowser();
  });
  after(async () => {
    await browser.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await test.close();
  });

  const enter = async (options: VisitOptions = {}) => {
    const visit = await browser.visit(options);
    await signIn(visit.page, { url, user: 'anna', password: PASSWORD });
    return visit;
  };

  for (const look of LOOKS) {
    it(`can be used by everybody: ${JSON.stringify(look)}`, async () => {
      const visit = await browser.visit({ ...look, bypassCsp: true });
      try {
        for (const path of PAGES) {
          if (path !== '/login' && visit.page.url().startsWith(`${url}/login`)) {
            await signIn(visit.page, { url, user: 'anna', password: PASSWORD });
          }
          await visit.page.goto(url + path);
          assert.deepEqual(await axeViolations(visit.page), [], path);
          assert.equal(await scrollsSideways(visit.page), false, path);
        }
      } finally {
        await visit.close();
      }
    });
  }

  it('is right HTML', async () => {
    const person = test.browser();
    await person.signIn('anna');
    for (const path of PAGES) {
      const { text } = await (path === '/login' ? test.browser() : person).get(path);
      assert.deepEqual(await htmlProblems(text), [], path);
    }
    const refused = await person.submit('/accounts/new', '/accounts/new', {
      login: '!',
      kind: 'own',
    });
    assert.deepEqual(await htmlProblems(refused.text), [], 'a refused form');
  });

  it('breaks no rule of its own policy, with or without a script', async () => {
    for (const javaScript of [true, false]) {
      const visit = await enter({ javaScript });
      for (const path of PAGES) {
        if (path !== '/nowhere') await visit.page.goto(url + path);
      }
      assert.deepEqual(visit.problems, []);
      await visit.close();
    }
  });

  describe('with a script', () => {
    const openMenus = (page: Page) => page.locator('details.drop[open]').count();
    const focused = (page: Page) =>
      page.evaluate<string>('document.activeElement.textContent.trim()');

    it('opens a row’s menu at the pointer, and gives the focus back', async () => {
      const visit = await enter();
      const { page } = visit;
      await page.goto(`${url}/accounts`);
      const row = page.locator('tbody tr').nth(1);
      const cell = row.locator('td').nth(1);
      await cell.click({ button: 'right' });
      assert.equal(await openMenus(page), 1);
      assert.equal(await row.locator('details.drop[open]').count(), 1);
      const pointer = await cell.boundingBox();
      const menu = await row.locator('details.drop > div').boundingBox();
      assert.ok(pointer && menu);
      assert.ok(Math.abs(menu.x - (pointer.x + pointer.width / 2)) < 4, 'where the pointer is');
      assert.equal(await focused(page), 'Edit');
      await page.keyboard.press('ArrowDown');
      assert.equal(await focused(page), 'Switch off');
      await page.keyboard.press('Escape');
      assert.equal(await openMenus(page), 0);

      const summary = row.locator('summary');
      for (const key of ['Shift+F10', 'ContextMenu']) {
        await summary.focus();
        await page.keyboard.press(key);
        assert.equal(await openMenus(page), 1, key);
        await page.keyboard.press('Escape');
        assert.equal(await row.locator('summary:focus').count(), 1, key);
      }
      await visit.close();
    });

    it('keeps a menu at the edge inside the window, and closes it from outside', async () => {
      const visit = await enter({ width: 1100, height: 400 });
      const { page } = visit;
      await page.goto(`${url}/accounts`);
      const row = await page.locator('tbody tr').nth(1).boundingBox();
      assert.ok(row && row.y + row.height <= 400, 'the row is in the window');
      await page.mouse.click(row.x + row.width - 3, row.y + row.height - 3, { button: 'right' });
      const menu = await page.locator('details.drop[open] > div').boundingBox();
      assert.ok(menu);
      assert.ok(menu.x + menu.width <= 1100 && menu.y + menu.height <= 400);
      await page.mouse.click(400, 20);
      assert.equal(await openMenus(page), 0);
      await visit.close();
    });

    it('leaves links and fields the browser’s own menu', async () => {
      const visit = await enter();
      const { page } = visit;
      await page.goto(`${url}/accounts`);
      await page.locator('tbody th a').first().click({ button: 'right' });
      assert.equal(await openMenus(page), 0);
      await visit.close();
    });

    it('puts the focus on what went wrong', async () => {
      const visit = await enter();
      const { page } = visit;
      await page.goto(`${url}/network`);
      await page.fill('#proxy', 'no proxy');
      await page.click('button.first');
      await page.waitForSelector('.errors');
      assert.equal(await page.locator('.errors:focus').count(), 1);
      await visit.close();
    });
  });

  for (const javaScript of [true, false]) {
    it(`loses nothing when a session ends, ${javaScript ? 'with' : 'without'} a script`, async () => {
      const visit = await enter({ javaScript });
      const { page, context } = visit;
      await page.goto(`${url}/mail/configuration/base`);
      await page.fill('[name=mailServerName]', 'typed.example.com');
      const cookies = await context.cookies();
      await context.clearCookies();
      await context.addCookies(cookies.filter(({ name }) => !/^console-[0-9a-f]{8}$/.test(name)));
      await page.click('button[value=save]');
      await page.fill('#username', 'anna');
      await page.fill('#password', PASSWORD);
      await page.click('button.first');
      await page.click('form[action="/mail/configuration/base"] button');
      await page.waitForURL(/saved=/);
      assert.equal(await page.inputValue('[name=mailServerName]'), 'typed.example.com');
      await visit.close();
    });
  }
});
