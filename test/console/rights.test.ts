import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readManifest } from '../../lib/manifest.js';
import type { Browser } from '../support/test-console.js';
import { startTestConsole, type TestConsole } from '../support/test-console.js';

/** Every page of the console that somebody must be signed in for, and who may open it. */
const PAGES: readonly [path: string, open: { none: number; read: number; manager: number }][] = [
  ['/account', { none: 200, read: 200, manager: 200 }],
  ['/accounts', { none: 403, read: 403, manager: 200 }],
  ['/accounts/new', { none: 403, read: 403, manager: 200 }],
  ['/accounts/1', { none: 403, read: 403, manager: 200 }],
  ['/accounts/1/remove', { none: 403, read: 403, manager: 200 }],
  ['/network', { none: 403, read: 403, manager: 200 }],
  ['/mail', { none: 403, read: 200, manager: 403 }],
  ['/nowhere', { none: 404, read: 404, manager: 404 }],
];
const ACTIONS = [
  '/accounts/new',
  '/accounts/1',
  '/accounts/1/disable',
  '/accounts/1/enable',
  '/accounts/1/remove',
  '/network',
];
const HOMES = { none: '/account', read: '/mail', manager: '/accounts' };

describe('rights', () => {
  let test: TestConsole;
  const people = new Map<string, Browser>();

  before(async () => {
    test = await startTestConsole();
    await test.account('first');
    await test.account('none', { level: 'none', manages: false });
    await test.account('read', { level: 'read', manages: false });
    await test.account('manager', { level: 'none', manages: true });
    for (const login of ['none', 'read', 'manager']) {
      const browser = test.browser();
      assert.equal((await browser.signIn(login)).status, 303);
      people.set(login, browser);
    }
  });
  after(() => test.close());

  it('are asked for on every page, from strangers too', async () => {
    for (const [path, expected] of PAGES) {
      assert.equal((await test.browser().get(path)).status, 303, `stranger at ${path}`);
      for (const [login, status] of Object.entries(expected)) {
        assert.equal((await people.get(login)?.get(path))?.status, status, `${login} at ${path}`);
      }
    }
  });

  it('are asked for before every change, with the right token too', async () => {
    for (const path of ACTIONS) {
      for (const login of ['none', 'read']) {
        const answer = await people.get(login)?.submit('/account', path, { version: '1' });
        assert.equal(answer?.status, 403, `${login} at ${path}`);
      }
      assert.equal((await test.browser().send(path, { version: '1' })).status, 401, path);
    }
    assert.equal((await test.console.accounts.get('1')).disabled, false);
  });

  it('decide which page comes first, and what the menu offers', async () => {
    for (const [login, home] of Object.entries(HOMES)) {
      const browser = people.get(login);
      assert.equal((await browser?.get('/'))?.headers['location'], home, login);
      const page = (await browser?.get('/account'))?.text ?? '';
      assert.equal(page.includes('href="/accounts"'), login === 'manager', login);
      assert.equal(page.includes('href="/mail"'), login === 'read', login);
    }
  });

  it('of a plugin page are those plugin.json names', async () => {
    const { menu, mount } = readManifest();
    for (const { path, role } of menu) {
      const address = path === '/' ? mount : mount + path;
      const seen = (await people.get('read')?.get(address))?.status;
      assert.equal(seen === 403, role !== 'mail.read', address);
      assert.equal((await people.get('none')?.get(address))?.status, 403, address);
    }
  });

  it('change at once, without signing in again', async () => {
    const id = await test.account('promoted', { level: 'none', manages: false });
    const browser = test.browser();
    await browser.signIn('promoted');
    assert.equal((await browser.get('/mail')).status, 403);
    const { version } = await test.console.accounts.get(id);
    const settings = { name: '', email: '', level: 'read', manages: false } as const;
    await test.console.accounts.update(id, version, settings, '');
    assert.equal((await browser.get('/mail')).status, 200);
  });

  it('leave the sign-in page and its files open to everybody', async () => {
    const page = await test.browser().get('/login');
    assert.equal(page.status, 200);
    const files = [...page.text.matchAll(/(?:href|src)="(\/[^"#]+)"/g)].map((match) => match[1]);
    assert.ok(files.length >= 4);
    for (const file of files)
      assert.equal((await test.browser().get(file ?? '')).status, 200, file);
  });
});
