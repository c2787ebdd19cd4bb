/** How a person works with the pages: by the words that are seen. One in a real browser, one in a text browser. */
import type { Page } from 'playwright-core';
import { openBrowser } from './browser.js';
import { escaped, TextBrowser } from './text-browser.js';
import { until } from './wait.js';

/** A field by its label, and by the words that stand right before it: its hint, where it has one. */
export interface FieldWords {
  readonly label: string;
  readonly hint?: string;
}

export interface Hand {
  fill(field: FieldWords, value: string): Promise<void>;
  /** Ticks a box, or chooses one of several. */
  choose(label: string): Promise<void>;
  /** Follows a link or presses a button. */
  press(words: string): Promise<void>;
  /** Waits for words on the page and gives back all of it. */
  see(words: string): Promise<string>;
  /** Waits for words on a page that changes while something is under way; a text browser presses `reload` meanwhile. */
  seeAtLast(words: string, reload: string): Promise<string>;
  /** Goes to an address of the console. */
  open(path: string): Promise<void>;
  /** What is wrong with the pages so far, as the browser says it. */
  problems(): readonly string[];
  close(): Promise<void>;
}

/** How long words may take to appear, in milliseconds: long, for a busy machine. */
const SEE_LIMIT_MS = 120_000;

export async function handInBrowser(url: string): Promise<Hand> {
  const browser = await openBrowser();
  const visit = await browser.visit();
  const { page } = visit;
  await page.goto(url);
  return {
    fill: async ({ label }, value) => {
      const field = page.getByLabel(label, { exact: true }).first();
      await field.fill(value);
      await field.evaluate(leaveStyle);
    },
    choose: async (label) => {
      await page.getByLabel(label).first().check();
    },
    press: async (words) => {
      await openMenuAround(page, words);
      // In a row, the button's name ends with the row's.
      const names = [`^${escaped(words)}$`, `^${escaped(words)}`].map((one) => new RegExp(one));
      const targets = names.map((name) =>
        page
          .getByRole('button', { name })
          .or(page.getByRole('link', { name }))
          .filter({ visible: true })
          .first(),
      );
      for (const target of targets) {
        if ((await target.count()) > 0) return target.click();
      }
      throw new Error(`nothing to press with the words "${words}"`);
    },
    see: (words) => seeIn(page, words),
    seeAtLast: (words) => seeIn(page, words),
    open: async (path) => {
      await page.goto(new URL(path, url).href);
    },
    problems: () => visit.problems,
    close: async () => {
      await visit.close();
      await browser.close();
    },
  };
}

/** What stands in a row's menu is reached by opening the menu first. */
async function openMenuAround(page: Page, words: string): Promise<void> {
  await page.waitForLoadState();
  const hidden = page
    .locator('details:not([open])')
    .filter({ has: page.locator('a, button').filter({ hasText: words }) });
  const visible = page.locator('a:visible, button:visible').filter({ hasText: words });
  if ((await visible.count()) === 0 && (await hidden.count()) > 0) {
    await hidden.first().locator('summary').first().click();
  }
}

function seeIn(page: Page, words: string): Promise<string> {
  let seen = '';
  return until(
    `"${words}" in the browser`,
    async () => {
      seen = await page.locator('body').innerText();
      return flat(seen).includes(flat(words)) ? seen : null;
    },
    SEE_LIMIT_MS,
  ).catch((cause: unknown) => {
    throw new Error(`"${words}" is not to be seen in the browser:\n${seen}`, { cause });
  });
}

export async function handInTextBrowser(url: string): Promise<Hand> {
  const browser = await TextBrowser.open(url);
  return {
    fill: ({ label, hint }, value) => browser.fill(hint ?? label, value),
    choose: (label) => browser.choose(label),
    press: (words) => browser.press(words),
    see: (words) => browser.waitFor(words),
    seeAtLast: (words, reload) => browser.waitForAtLast(words, reload),
    open: (path) => browser.open(new URL(path, url).href),
    problems: () => [],
    close: () => browser.close(),
  };
}

interface Styled {
  readonly style: {
    setProperty(name: string, value: string): void;
    removeProperty(name: string): void;
  };
}

/** Leaves what programs that fill in forms leave: an empty `style`, which the policy lets no script copy. */
function leaveStyle({ style }: Styled): void {
  style.setProperty('color', 'inherit');
  style.removeProperty('color');
}

function flat(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
