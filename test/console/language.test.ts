import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { startTestConsole, type Browser, type TestConsole } from '../support/test-console.js';

const LOCALES = join(PACKAGE_ROOT, 'lib/console/locales');
const read = (name: string) =>
  JSON.parse(readFileSync(join(LOCALES, name), 'utf8')) as Record<string, string>;

describe('the language of the console', () => {
  let test: TestConsole;

  before(async () => {
    test = await startTestConsole();
    await test.account('anna');
  });
  after(() => test.close());

  const languageOf = (html: string) => /<html lang="([^"]+)"/.exec(html)?.[1];
  const ask = async (header: string) =>
    languageOf((await test.browser().get('/login').set('Accept-Language', header)).text);

  it('is what the browser asks for, as far as there are texts', async () => {
    assert.equal(await ask('de-AT,de;q=0.9,en;q=0.5'), 'de');
    assert.equal(await ask('tlh,de;q=0.2'), 'de');
    assert.equal(await ask('tlh'), 'en');
    assert.equal(await ask('*'), 'en');
    assert.equal(languageOf((await test.browser().get('/login')).text), 'en');
  });

  it('can be chosen by a guest, stays after signing in, and is heard by the plugin', async () => {
    const browser = test.browser();
    const chosen = await choose(browser, '/login', 'de', '/login?next=%2Faccount');
    assert.equal(chosen.status, 303);
    assert.equal(chosen.headers['location'], '/login?next=%2Faccount');
    assert.equal(languageOf((await browser.get('/login')).text), 'de');
    await browser.signIn('anna');
    const page = (await browser.get('/mail')).text;
    assert.equal(languageOf(page), 'de');
    assert.match(page, /Übersicht/);
  });

  it('takes no language there is none of, and leads nowhere else', async () => {
    const browser = test.browser();
    const answer = await choose(browser, '/login', 'tlh', '//evil.example');
    assert.equal(answer.headers['location'], '/');
    assert.equal(languageOf((await browser.get('/login')).text), 'en');
  });

  const choose = (browser: Browser, page: string, language: string, back: string) =>
    browser.submit(page, '/language', { language, back });
});

describe('the texts of the console', () => {
  const english = read('en.json');
  const placeholders = (text: string) => [...new Set(text.match(/\{\w+[,}]/g) ?? [])].sort();

  for (const name of readdirSync(LOCALES)) {
    it(`${name} has every key in order, with the same placeholders`, () => {
      const texts = read(name);
      assert.deepEqual(Object.keys(texts), Object.keys(texts).sort());
      assert.deepEqual(Object.keys(texts), Object.keys(english));
      for (const [key, text] of Object.entries(texts)) {
        assert.ok(key.startsWith('console.'), key);
        assert.deepEqual(placeholders(text), placeholders(english[key] ?? ''), key);
        assert.notEqual(text.trim(), '', key);
      }
    });
  }

  it('leave nothing in English by accident', () => {
    // Words that are the same in both languages.
    const same = new Set(['console.accounts.part.person']);
    for (const [key, text] of Object.entries(read('de.json'))) {
      if (!same.has(key)) assert.notEqual(text, english[key], key);
    }
  });
});
