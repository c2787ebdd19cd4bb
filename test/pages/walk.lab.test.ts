/** Every page there is and the states it can be in, with telling data, in a real browser. New pages are found by their links. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { createI18n } from '../../lib/i18n.js';
import { readManifest } from '../../lib/manifest.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { openBrowser, signIn, type TestBrowser, type Visit } from '../support/browser.js';
import { fillLab, HOSTILE_SUBJECT } from '../support/filled-lab.js';
import { startLab, type Lab } from '../support/lab.js';
import {
  hiddenFromKeyboard,
  missedByTab,
  rowMenuProblems,
  tooWideAt,
  tooWideTurned,
  unusable,
  wordsOf,
  type Words,
} from '../support/page-check.js';
import { findPages, kindOf, type FoundPage } from '../support/page-map.js';
import { pressQuestions, refuseForms, SPECIAL, type State } from '../support/page-states.js';
import { messagesOf } from '../support/sources.js';
import { htmlProblems } from '../support/valid-html.js';
import { until } from '../support/wait.js';

/** All that comes over the wire with an empty cache. Bytes. */
const FIRST_VIEW_LIMIT = 60 * 1024;

/** Languages beside English and German, which the pages are tried in at length. */
const OTHERS = createI18n(join(PACKAGE_ROOT, 'locales'), { product: 'Acme' }).languages.filter(
  (language) => !['en', 'de'].includes(language),
);

/** How much there is to read in a language, in characters. */
const size = (language: string): number =>
  messagesOf(`locales/${language}.json`).reduce((sum, [, text]) => sum + text.length, 0);

/** What stands on a page where its text is missing. */
const KEYS = new Set(messagesOf('locales/en.json').map(([key]) => key));

const manifest = readManifest();
const LISTED = manifest.menu
  .flatMap((entry) => [entry, ...(entry.tabs ?? [])])
  .map(({ path }) => manifest.mount + (path === '/' ? '' : path));

interface Seen {
  readonly name: string;
  readonly words: Words;
  readonly problems: readonly string[];
}

describe('every page', () => {
  let lab: Lab;
  let browser: TestBrowser;
  let found: readonly FoundPage[];
  let login: { url: string; user: string; password: string };
  /** One address of every page, whatever its query. */
  let places: readonly string[];

  before(async () => {
    lab = await startLab();
    const hostile = await fillLab(lab);
    login = await lab.facts();
    found = await findPages(await lab.signIn(), [
      `${manifest.mount}/queue/${hostile}`,
      manifest.mount,
    ]);
    const first = new Map(found.toReversed().map(({ path }) => [kindOf(path).page, path]));
    places = [...first.entries()].filter(([kind]) => kind !== '/').map(([, path]) => path);
    browser = await openBrowser();
  });
  after(async () => {
    await browser.close();
    await lab.stop();
  });

  const enter = async (options: { language?: string } = {}): Promise<Visit> => {
    const visit = await browser.visit(options);
    await signIn(visit.page, login);
    visit.transferred();
    return visit;
  };

  /** What holds for every page and every state of it. */
  const look = async (page: Page, name: string): Promise<Seen> => {
    const problems: string[] = [];
    const add = (what: string, list: readonly (string | number)[]): void => {
      problems.push(...list.map((one) => `${name}: ${what}: ${String(one)}`));
    };
    const words = await wordsOf(page);
    add('headings', words.headings.length === 1 ? [] : ['not one h1']);
    add('wider than the window', await tooWideAt(page));
    add('axe', await unusable(page));
    add('keyboard', await hiddenFromKeyboard(page));
    return { name, words, problems };
  };

  it('is found: all that the menu lists, and what they lead to', () => {
    const paths = found.map(({ path }) => path);
    for (const path of LISTED) assert.ok(paths.includes(path), path);
    assert.ok(places.length > LISTED.length + 5, String(places.length));
  });

  it('is right HTML in both languages', async () => {
    const german = await lab.signIn();
    german.language = 'de';
    const pages = found.map(({ path, page }) => ({ path, ...page }));
    for (const path of places) {
      const page = await german.get(path);
      assert.equal(page.status, 200, path);
      assert.match(page.html, /<html lang="de"/);
      pages.push({ ...page, path: `${path} in German` });
    }
    for (const { path, html } of pages) assert.deepEqual(await htmlProblems(html), [], path);
  });

  it('shows hostile mail as text', () => {
    const shown = found.filter(({ page }) => page.text.includes(HOSTILE_SUBJECT));
    assert.ok(shown.length > 0, 'the message is displayed somewhere');
    for (const { page, path } of found) {
      assert.doesNotMatch(page.html, /<img|<script>|<style>/, path);
    }
  });

  it('can be used by everybody, at any width, by keyboard, and comes in less than 60 KB', async () => {
    const visit = await enter();
    const { page, context, problems } = visit;
    const wire = await context.newCDPSession(page);
    await wire.send('Network.setCacheDisabled', { cacheDisabled: true });
    const seen: Seen[] = [];
    const wrong: string[] = [];
    const menus: string[] = [];
    for (const path of places) {
      await page.goto(lab.url + path);
      // The browser tells of them a moment after the page is there.
      const bytes = await until(`the bytes of ${path}`, () => visit.transferred() || null);
      if (bytes > FIRST_VIEW_LIMIT) wrong.push(`${path}: ${bytes} bytes`);
      const menu = await rowMenuProblems(page);
      if (menu !== null) menus.push(path);
      wrong.push(...(menu ?? []).map((problem) => `${path}: ${problem}`));
      if (LISTED.includes(path)) {
        wrong.push(...(await missedByTab(page)).map((one) => `${path}: Tab misses ${one}`));
      }
      seen.push(await look(page, path));
    }
    await visit.close();
    assert.deepEqual([...wrong, ...seen.flatMap((one) => one.problems)], []);
    assert.deepEqual(problems, [], 'what the browser complains about');
    assert.ok(menus.length > 3, `row menus were tried: ${menus.join(' ')}`);
    namesItself(seen);
  });

  /** Titles tell pages apart; where one is in the menu and among the tabs is marked. */
  const namesItself = (seen: readonly Seen[]): void => {
    const titles = seen.map(({ words }) => words.title);
    assert.deepEqual(
      titles.filter((title, index) => titles.indexOf(title) !== index),
      [],
      'titles that more than one page has',
    );
    for (const { name, words } of seen) {
      assert.equal(words.menu.length, 1, `${name}: one menu entry is the current one`);
      assert.equal(words.tab.length, words.tabs === 0 ? 0 : 1, `${name}: one tab is`);
    }
  };

  it('fits in German too, where words are long, and turned round', async () => {
    const visit = await enter({ language: 'de-DE' });
    const wrong: string[] = [];
    const titles: string[] = [];
    for (const path of places) {
      await visit.page.goto(lab.url + path);
      wrong.push(...(await tooWideAt(visit.page)).map((width) => `${path} at ${width}`));
      const turned = await tooWideTurned(visit.page);
      wrong.push(...turned.map((width) => `${path} from right to left at ${width}`));
      titles.push((await wordsOf(visit.page)).title);
    }
    await visit.close();
    assert.deepEqual(wrong, []);
    assert.deepEqual(visit.problems, []);
    assert.equal(new Set(titles).size, titles.length);
  });

  it('speaks every other language', async () => {
    const wrong: string[] = [];
    for (const language of OTHERS) {
      const person = await lab.signIn();
      person.language = language;
      for (const path of places) {
        const { html, text } = await person.get(path);
        if (!html.includes(`<html lang="${language}"`)) wrong.push(`${path} is not in ${language}`);
        const lacking = text.split(/\s+/).filter((word) => KEYS.has(word));
        wrong.push(...lacking.map((key) => `${path} in ${language} lacks ${key}`));
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('fits on a phone in the wordiest language', async () => {
    const visit = await enter({
      language: OTHERS.toSorted((a, b) => size(b) - size(a))[0] ?? 'en',
    });
    const wrong: string[] = [];
    for (const path of places) {
      await visit.page.goto(lab.url + path);
      if ((await tooWideAt(visit.page, [360])).length > 0) wrong.push(path);
    }
    await visit.close();
    assert.deepEqual(wrong, []);
    assert.deepEqual(visit.problems, []);
  });

  describe('in the states it can be in', () => {
    let visit: Visit;
    before(async () => {
      visit = await enter();
    });
    after(() => visit.close());

    /** Goes through states and says what is wrong with what is then to be seen. */
    const inspect = async (
      walk: (page: Page, seen: (state: State) => Promise<void>) => Promise<void>,
    ): Promise<State[]> => {
      const states: State[] = [];
      const wrong: string[] = [];
      const complained = visit.problems.length;
      await walk(visit.page, async (state) => {
        states.push(state);
        const html = await htmlProblems(state.answer.html);
        const { problems } = await look(visit.page, state.name);
        wrong.push(...problems, ...html.map((problem) => `${state.name}: ${problem}`));
      });
      const complaints = visit.problems.slice(complained);
      // That an answer is no 200 is what these are about.
      wrong.push(...complaints.filter((one) => !/status of (4\d\d|502)/.test(one)));
      assert.deepEqual(wrong, []);
      return states;
    };

    it('refuses nonsense in every form and says so', async () => {
      const states = await inspect((page, seen) => refuseForms(page, lab.url, places, seen));
      assert.ok(states.length >= 6, states.map(({ name }) => name).join('\n'));
      for (const { name, answer } of states) {
        // A file that was read is answered by its preview, which names what is wrong in it.
        const read =
          name.startsWith('/mail/aliases/transfer') && answer.html.includes('import-wrong');
        assert.equal(answer.status, read ? 200 : 422, name);
      }
    });

    it('asks before it does what cannot be undone', async () => {
      const states = await inspect((page, seen) => pressQuestions(page, lab.url, places, seen));
      assert.ok(states.length >= 3, states.map(({ name }) => name).join('\n'));
      for (const { name, answer } of states) assert.equal(answer.status, 200, name);
    });

    for (const { name, status, ...special } of SPECIAL) {
      it(name, async () => {
        const [state] = await inspect(async (page, seen) => {
          await seen({ name, answer: await special.open(page, lab.url) });
        });
        assert.equal(state?.answer.status, status);
      });
    }
  });
});
