/** Text browsers: w3m reads a page, lynx walks through the console in a terminal, keystroke by keystroke. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { until } from './wait.js';

const run = promisify(execFile);

/** What w3m shows of a page, 80 columns wide. */
export function readWithW3m(html: string): string {
  return execFileSync('/usr/bin/w3m', ['-dump', '-T', 'text/html', '-I', 'UTF-8', '-cols', '80'], {
    input: html,
    encoding: 'utf8',
    env: { LANG: 'C.UTF-8', HOME: '/nonexistent' },
  });
}

/** How long an answer may take, in milliseconds: long, for a busy machine. */
const ANSWER_LIMIT_MS = 120_000;

/** How long one waits before looking again at a page that was reloaded, in milliseconds. */
const RELOAD_MS = 1_000;

/** Wide and tall enough that a whole page is on the screen at once. */
const COLUMNS = 132;
const ROWS = 400;

/** Every link, field and button has a number: the number and `g` go there. A field takes keys only after Enter. */
const LYNX_SETTINGS = [
  'INCLUDE:/etc/lynx/lynx.cfg',
  'DEFAULT_KEYPAD_MODE:LINKS_AND_FORM_FIELDS_ARE_NUMBERED',
  'TEXTFIELDS_NEED_ACTIVATION:TRUE',
  'ACCEPT_ALL_COOKIES:TRUE',
  'ASSUME_CHARSET:utf-8',
  'CHARACTER_SET:utf-8',
  'COLLAPSE_BR_TAGS:FALSE',
  // A page is shown once it is there, not while it comes.
  'PARTIAL:FALSE',
];

/** What stands on the page that is gone to before every address, so that the page before it is not taken for the next. */
const BETWEEN = 'Between two pages.';
const BETWEEN_FILE = 'between.txt';

export class TextBrowser {
  readonly #folder: string;
  readonly #tmux: readonly string[];

  private constructor(folder: string) {
    this.#folder = folder;
    this.#tmux = ['-S', join(folder, 'tmux'), '-f', '/dev/null'];
  }

  /** Opens an address; `language` as in Accept-Language. */
  static async open(url: string, language = 'en'): Promise<TextBrowser> {
    const folder = mkdtempSync(join(tmpdir(), 'mailserver-lynx-'));
    const settings = join(folder, 'lynx.cfg');
    writeFileSync(settings, [...LYNX_SETTINGS, `PREFERRED_LANGUAGE:${language}`, ''].join('\n'));
    writeFileSync(join(folder, BETWEEN_FILE), `${BETWEEN}\n`);
    const browser = new TextBrowser(folder);
    const lynx = ['/usr/bin/lynx', `-cfg=${settings}`, '-nocolor', '-nopause', url];
    const size = ['-x', String(COLUMNS), '-y', String(ROWS)];
    await run('/usr/bin/tmux', [...browser.#tmux, 'new-session', '-d', ...size, ...lynx], {
      env: { LANG: 'C.UTF-8', HOME: folder, TERM: 'xterm', PATH: '/usr/bin:/bin' },
    });
    return browser;
  }

  /** All that is to be seen now. */
  async screen(): Promise<string> {
    const { stdout } = await run('/usr/bin/tmux', [...this.#tmux, 'capture-pane', '-p', '-J']);
    return stdout
      .replace(/ +$/gm, '')
      .replace(/\n{3,}/g, '\n\n')
      .trim();
  }

  /** Waits for words on the screen and returns all of it. Line breaks and blanks do not matter. */
  async waitFor(words: string): Promise<string> {
    return this.#look(words);
  }

  /** Waits for words on a page that shows something under way, and presses its `reload` meanwhile. */
  async waitForAtLast(words: string, reload: string): Promise<string> {
    return this.#look(words, async (seen) => {
      if (flat(seen).includes(flat(reload))) await this.press(reload);
      await pause(RELOAD_MS);
    });
  }

  async #look(words: string, meanwhile?: (seen: string) => Promise<void>): Promise<string> {
    return this.#lookUntil(`"${words}"`, (seen) => flat(seen).includes(flat(words)), meanwhile);
  }

  async #lookUntil(
    what: string,
    isThere: (seen: string) => boolean,
    meanwhile: (seen: string) => Promise<void> = () => Promise.resolve(),
  ): Promise<string> {
    let seen = '';
    try {
      return await until(
        `${what} in the text browser`,
        async () => {
          seen = await this.screen();
          if (isThere(seen)) return seen;
          await meanwhile(seen);
          return null;
        },
        ANSWER_LIMIT_MS,
      );
    } catch (cause) {
      throw new Error(`${what} is not to be seen in the text browser:\n${seen}`, { cause });
    }
  }

  async #enterAddress(url: string): Promise<void> {
    await this.#keys('g');
    await this.waitFor('URL to open:');
    await this.#keys('C-u');
    await this.#type(url);
    await this.#keys('Enter');
  }

  /** Types into the field that follows its label. */
  async fill(label: string, value: string): Promise<void> {
    await this.#goTo(fieldAfter(await this.waitFor(label), label));
    await this.#keys('Enter', 'C-u');
    await this.#type(value);
    await this.#keys('Tab');
  }

  /** Chooses the radio button, or switches the tick box, that stands before the label. */
  async choose(label: string): Promise<void> {
    await this.#goTo(numberBefore(await this.waitFor(label), label));
    await this.#keys('Enter');
  }

  /** Follows a link or presses a button, by its words. */
  async press(words: string): Promise<void> {
    await this.#goTo(numberBefore(await this.waitFor(words), words));
    await this.#keys('Enter');
  }

  /** The same in a row of a list: the first of these words after the link that is the row's name. */
  async pressIn(row: string, words: string): Promise<void> {
    const screen = flat(await this.waitFor(words));
    const start = screen.indexOf(`[${numberBefore(screen, row)}]`);
    await this.#goTo(numberBefore(screen.slice(start), words));
    await this.#keys('Enter');
  }

  /**
   * Goes to an address, as one types it, and waits until its page is there: what is typed while lynx loads a page gets
   * lost, and the page before it may have the very words and fields of the one that comes.
   */
  async open(url: string): Promise<void> {
    await this.#enterAddress(pathToFileURL(join(this.#folder, BETWEEN_FILE)).href);
    await this.waitFor(BETWEEN);
    await this.#enterAddress(url);
    await this.#lookUntil(`another page than "${BETWEEN}"`, (seen) => !seen.includes(BETWEEN));
  }

  async close(): Promise<void> {
    await run('/usr/bin/tmux', [...this.#tmux, 'kill-server']).catch(() => undefined);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** `12g` and Enter: to number 12 without following it. */
  async #goTo(number: number): Promise<void> {
    await this.#type(`${number}g`);
    await this.#keys('Enter');
  }

  async #type(text: string): Promise<void> {
    if (text !== '') await run('/usr/bin/tmux', [...this.#tmux, 'send-keys', '-l', '--', text]);
  }

  async #keys(...keys: string[]): Promise<void> {
    await run('/usr/bin/tmux', [...this.#tmux, 'send-keys', ...keys]);
  }
}

function flat(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function fieldAfter(screen: string, label: string): number {
  const text = flat(screen);
  const number = /\[(\d+)\]/.exec(text.slice(text.indexOf(flat(label)) + flat(label).length))?.[1];
  if (number === undefined) throw new Error(`no field after "${label}":\n${screen}`);
  return Number(number);
}

function numberBefore(screen: string, words: string): number {
  const text = flat(screen);
  // `[7]Link`, `([7]BUTTON) Button`, `([7]a value) Button`, `[7](X) Radio`, `[7][X] Tick box`
  const before = new RegExp(
    `\\[(\\d+)\\](?:[^()[\\]]*\\)|\\([ X*]?\\)|\\[[ X]?\\])?\\s*${escaped(flat(words))}(?!\\p{L})`,
    'u',
  );
  const number = before.exec(text)?.[1];
  if (number === undefined) throw new Error(`nothing to press before "${words}":\n${screen}`);
  return Number(number);
}

/** The text as a regular expression that means just itself. */
export function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
