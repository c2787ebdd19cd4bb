/** What a page does in a real browser: by eye, by keyboard and by its own words. Scripts are strings: they run in the page. */
import type { Page } from 'playwright-core';
import { axeViolations, scrollsSideways } from './browser.js';

/** Widths of window, in CSS pixels: the smallest phone, a tablet, a laptop, a wide screen. */
export const WIDTHS = [320, 768, 1280, 1920] as const;

export interface Words {
  readonly language: string;
  readonly title: string;
  readonly headings: readonly string[];
  /** Entries of the console's menu that are marked as the one in view. */
  readonly menu: readonly string[];
  readonly tabs: number;
  /** Tabs that are marked so. */
  readonly tab: readonly string[];
}

export async function wordsOf(page: Page): Promise<Words> {
  return page.evaluate<Words>(`(() => {
    const texts = (selector) => [...document.querySelectorAll(selector)].map((one) => one.textContent.trim());
    return {
      language: document.documentElement.lang,
      title: document.title,
      headings: texts('h1'),
      menu: texts('nav.console-menu [aria-current=page]'),
      tabs: texts('nav.tabs a').length,
      tab: texts('nav.tabs [aria-current=page]'),
    };
  })()`);
}

/** What axe sees, in both colour schemes; in the second only what depends on colours. */
export async function unusable(page: Page): Promise<string[]> {
  await page.emulateMedia({ colorScheme: 'light' });
  const light = await axeViolations(page);
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await axeViolations(page, ['color-contrast', 'link-in-text-block']);
  await page.emulateMedia({ colorScheme: 'light' });
  return [...light, ...dark.map((problem) => `dark: ${problem}`)];
}

/** The widths at which one would have to scroll sideways. The window has its first width again afterwards. */
export async function tooWideAt(page: Page, widths: readonly number[] = WIDTHS): Promise<number[]> {
  const size = page.viewportSize() ?? { width: 1280, height: 900 };
  const wide: number[] = [];
  for (const width of widths) {
    await page.setViewportSize({ width, height: size.height });
    if (await scrollsSideways(page)) wide.push(width);
  }
  await page.setViewportSize(size);
  return wide;
}

/** The same with the page turned round, as for a language that is read from right to left. */
export async function tooWideTurned(page: Page): Promise<number[]> {
  await page.evaluate("document.documentElement.dir = 'rtl'");
  const wide = await tooWideAt(page, [360, 1280]);
  await page.evaluate("document.documentElement.dir = 'ltr'");
  return wide;
}

const ACTIONS = `[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
  .filter((one) => !one.disabled && one.tabIndex >= 0 && one.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }))`;

const NAME =
  "((one) => (one.localName + ' ' + (one.getAttribute('aria-label') || one.textContent.trim() || one.name)).slice(0, 60))";

/**
 * What cannot be reached or seen with a keyboard alone: everything that can be acted on is given the focus, after one press
 * of Tab so that the browser shows it, and must then have an outline and lie open in the window.
 */
export async function hiddenFromKeyboard(page: Page): Promise<string[]> {
  await page.keyboard.press('Tab');
  return page.evaluate<string[]>(`(() => {
    const problems = [];
    for (const one of ${ACTIONS}) {
      const name = ${NAME}(one);
      one.focus();
      if (document.activeElement !== one) { problems.push('takes no focus: ' + name); continue; }
      const { outlineStyle, outlineWidth } = getComputedStyle(one);
      if (outlineStyle === 'none' || parseFloat(outlineWidth) < 2) problems.push('shows no focus: ' + name);
      const box = one.getClientRects()[0];
      const seen = document.elementFromPoint(box.left + Math.min(box.width / 2, 40), box.top + box.height / 2);
      if (!seen || !(one.contains(seen) || seen.contains(one))) problems.push('is covered: ' + name);
    }
    return problems;
  })()`);
}

/** Presses Tab through the whole page. Returns what was never reached; of radio buttons one of a group is enough. */
export async function missedByTab(page: Page): Promise<string[]> {
  await page.evaluate(`(() => {
    window.reached = new Set();
    document.addEventListener('focusin', ({ target }) => window.reached.add(target));
    document.activeElement?.blur();
    document.getSelection()?.removeAllRanges();
    window.scrollTo(0, 0);
  })()`);
  const count = await page.evaluate<number>(`${ACTIONS}.length`);
  for (let presses = 0; presses < count + 2; presses += 1) await page.keyboard.press('Tab');
  return page.evaluate<string[]>(`${ACTIONS}
    .filter((one) => !window.reached.has(one))
    .filter((one) => one.type !== 'radio' || ![...window.reached].some((other) => other.name === one.name))
    .map(${NAME})`);
}

/** Opens the first row menu by both keys that keyboards have for it. Returns what went wrong; null without such rows. */
export async function rowMenuProblems(page: Page): Promise<string[] | null> {
  const row = page.locator('.mailserver tbody tr:has(details.drop)').first();
  if ((await row.count()) === 0) return null;
  const problems: string[] = [];
  const summary = row.locator('details.drop > summary');
  const open = row.locator('details.drop[open]');
  for (const key of ['ContextMenu', 'Shift+F10']) {
    await summary.focus();
    await page.keyboard.press(key);
    if ((await open.count()) !== 1) problems.push(`${key} opens no menu`);
    const inside = row.locator('details.drop[open] > div :is(a, button):focus');
    if ((await inside.count()) !== 1) problems.push(`${key} puts the focus on none of its entries`);
    if (await scrollsSideways(page)) problems.push('the open menu makes the page wider');
    await page.keyboard.press('Escape');
    if ((await open.count()) !== 0) problems.push('Escape does not close the menu');
    if ((await row.locator('summary:focus').count()) !== 1) problems.push('the focus is lost');
  }
  return problems;
}
