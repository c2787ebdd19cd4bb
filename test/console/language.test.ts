import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { createI18n } from '../../lib/i18n.js';
import { createLanguages, directionOf } from '../../lib/console/web/language.js';
import { startTestConsole, type Browser, type TestConsole } from '../support/test-console.js';

const texts = (folder: string) => createI18n(join(PACKAGE_ROOT, folder), { product: 'Acme' });

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

describe('languages', () => {
  it('are those there are texts for, each under its own name', () => {
    const own = texts('lib/console/locales');
    assert.deepEqual(
      own.languages,
      texts('locales').languages,
      'console and plugin speak the same',
    );
    const { offered } = createLanguages(own);
    assert.deepEqual(offered.find(({ tag }) => tag === 'fr')?.name, 'français');
    for (const { tag, name } of offered) assert.notEqual(name, tag);
  });

  it('say which way they are read', () => {
    assert.deepEqual(['de', 'nl', 'pt-BR', 'ja'].map(directionOf), ['ltr', 'ltr', 'ltr', 'ltr']);
    assert.deepEqual(['ar', 'fa', 'he', 'az-Arab'].map(directionOf), ['rtl', 'rtl', 'rtl', 'rtl']);
  });
});
