/** States of pages: refused forms, questions, conflicts, previews, empty lists, pages that are not there. */
import type { Locator, Page, Response } from 'playwright-core';
import { until } from './wait.js';

export interface State {
  readonly name: string;
  readonly answer: Answer;
}

export interface Answer {
  readonly status: number;
  /** The page as it was sent; a part of one is put into a page. */
  readonly html: string;
}

/** Every form refuses it: a control character (U+0007) in the middle of markup. */
const NONSENSE = '"><b>\u0007';

/** Fields that take words. */
const TEXTS = 'input:is([type=text], [type=email], :not([type])), textarea';

/** No part of the page is being exchanged. */
const SETTLED = "!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')";

const FORMS = 'main form[method=post]';

/** Sends nonsense with every form that takes words, and calls `seen` with each answer in the browser. */
export async function refuseForms(
  page: Page,
  url: string,
  places: readonly string[],
  seen: (state: State) => Promise<void>,
): Promise<void> {
  for (const path of places) {
    await page.goto(url + path);
    const count = await page.locator(FORMS).count();
    for (let index = 0; index < count; index += 1) {
      if (index > 0) await page.goto(url + path);
      const form = page.locator(FORMS).nth(index);
      const fields = form.locator(`:is(${TEXTS}):visible:not([readonly])`);
      const button = form.locator('button:visible:not([disabled])');
      if ((await fields.count()) === 0 || (await button.count()) === 0) continue;
      for (const field of await fields.all()) await field.fill(NONSENSE);
      const first = form.locator('button.first:visible');
      const answer = await press(page, (await first.count()) > 0 ? first.first() : button.first());
      const name = `${path}, form ${index + 1} refused`;
      await seen({ name, answer: await whenRead(page, answer) });
    }
  }
}

/** A file with aliases is read in the background: on a busy machine its page comes before the end of that. */
const READING = /<section class="job [^>]*id="import"/;

async function whenRead(page: Page, answer: Answer): Promise<Answer> {
  let last = answer;
  await until('the end of what is read', async () => {
    if (!READING.test(last.html)) return true;
    const response = await page.reload();
    if (response) last = await readAnswer(response);
    return false;
  });
  return last;
}

/** Presses every button that ends in “…”: a question follows, and nothing has happened yet. */
export async function pressQuestions(
  page: Page,
  url: string,
  places: readonly string[],
  seen: (state: State) => Promise<void>,
): Promise<void> {
  for (const path of places) {
    await page.goto(url + path);
    const asking = page.locator(`${FORMS} button:not(details.drop button)`, { hasText: /…\s*$/ });
    for (let index = 0; index < (await asking.count()); index += 1) {
      if (index > 0) await page.goto(url + path);
      const tick = page.locator('tbody .tick input:not([disabled])').first();
      if ((await tick.count()) > 0) await tick.check();
      const button = asking.nth(index);
      const name = `${path}, ${((await button.textContent()) ?? '').trim()}`;
      await seen({ name, answer: await press(page, button) });
    }
  }
}

/** Presses a button and waits until what it leads to is on the screen. Returns the last answer. */
async function press(page: Page, button: Locator): Promise<Answer> {
  /** Not a live part that a field asked for when it was left, which may come in between. */
  const isAnswer = (response: Response): boolean =>
    (response.request().resourceType() === 'document' || response.request().method() === 'POST') &&
    (response.status() < 300 || response.status() >= 400);
  const answer = page.waitForResponse(isAnswer);
  await button.click();
  const response = await answer;
  await page.waitForLoadState();
  await until('htmx to have put the answer in', () => page.evaluate<boolean>(SETTLED));
  return readAnswer(response);
}

async function readAnswer(response: Response): Promise<Answer> {
  const html = await response.text();
  const whole = /^<!doctype html>/i.test(html)
    ? html
    : `<!doctype html>\n<html lang="en"><head><title>Part</title></head><body>${html.replace(/^<title>.*?<\/title>/, '')}</body></html>`;
  return { status: response.status(), html: whole };
}

export interface Special {
  readonly name: string;
  readonly status: number;
  /** Brings the page into the state. */
  open(page: Page, url: string): Promise<Answer>;
}

const CONFIGURATION = '/mail/configuration';

/** Opens a page, says that its form is as old as can be, changes a field and presses a button. */
function change(
  path: string,
  fields: Readonly<Record<string, string>>,
  intent: string,
  stale = false,
): Special['open'] {
  return async (page, url) => {
    await page.goto(url + path);
    const form = page.locator(FORMS).filter({ has: page.locator(`button[value=${intent}]`) });
    if (stale) {
      await form
        .first()
        .locator('[name=version]')
        .evaluate((field) => {
          (field as unknown as { value: string }).value = '0';
        });
    }
    for (const [name, value] of Object.entries(fields)) {
      await form.locator(`[name=${name}]:is(${TEXTS}, [type=password])`).first().fill(value);
    }
    return press(page, form.locator(`button[value=${intent}]`).first());
  };
}

function address(path: string): Special['open'] {
  return async (page, url) => {
    const response = await page.goto(url + path);
    if (response === null) throw new Error(`${path} gave no answer`);
    return readAnswer(response);
  };
}

const NAME = { mailServerName: 'another.example.com' };
const LOGIN = { username: 'somebody', password: 'a new one' };
const HIDING = { name: 'carol', targets: 'x@outside.example' };
const NETWORK = { network: '203.0.113.0/24' };
const DOMAINS = `${CONFIGURATION}/domains`;

export const SPECIAL: readonly Special[] = [
  special('shows what a save would change', 200, change(`${CONFIGURATION}/base`, NAME, 'preview')),
  special(
    'shows both versions of a stale form',
    409,
    change(`${CONFIGURATION}/base`, NAME, 'save', true),
  ),
  special(
    'shows what somebody else made of an alias',
    409,
    change('/mail/aliases/1', { note: 'x' }, 'save', true),
  ),
  special(
    'says that somebody edited what a save would change',
    502,
    change(`${CONFIGURATION}/smarthost`, LOGIN, 'preview'),
  ),
  special(
    'asks twice about a public network',
    422,
    change(`${CONFIGURATION}/relay-subnets`, NETWORK, 'save'),
  ),
  special('doubts an alias that hides a mailbox', 422, change('/mail/aliases/new', HIDING, 'save')),
  special(
    'shows what adding a domain changes',
    200,
    change(DOMAINS, { name: 'new.example' }, 'preview'),
  ),
  special('says that a search found no domain', 200, address(`${DOMAINS}?q=zzz`)),
  special('says that a search found no alias', 200, address('/mail/aliases?q=zzz')),
  special('says that a filter found no mail', 200, address('/mail/queue?q=zzz')),
  special('says that a filter found no change', 200, address('/mail/history?person=zzz')),
  special('says that a message is gone', 404, address('/mail/queue/ABCDEF0123')),
  special('says that an alias is gone', 404, address('/mail/aliases/999999')),
  special('says that a mailing is gone', 404, address('/mail/bulk/999999')),
  special('says that a change is not there', 404, address('/mail/history/999999')),
  special('says that a page is not there', 404, address('/mail/nowhere')),
];

function special(name: string, status: number, open: Special['open']): Special {
  return { name, status, open };
}
