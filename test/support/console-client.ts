/** A browser without script at a running console: keeps cookies, reads forms, sends them with what was typed. */
import { readForms, textOf, type PageForm } from './forms.js';

export interface Page {
  readonly status: number;
  readonly url: string;
  readonly headers: Headers;
  readonly html: string;
  /** The words on it. */
  readonly text: string;
  readonly forms: readonly PageForm[];
}

/** What is typed into a form; an array for a field that is sent several times, null for one that is not sent. */
export type Typed = Readonly<Record<string, string | readonly string[] | null>>;

export interface SubmitOptions {
  /** Which form of the page, by its action; else the first one that has all the fields that are typed. */
  readonly action?: string;
  /** The button that is pressed, as `name=value`; the first one of the form when not given. */
  readonly button?: string;
}

/** How many redirects one answer may take. */
const MAX_REDIRECTS = 5;

export class ConsoleClient {
  readonly #cookies = new Map<string, string>();
  language = 'en';

  constructor(readonly url: string) {}

  /** A second browser of the same person: it has the cookies this one has now. */
  clone(): ConsoleClient {
    const other = new ConsoleClient(this.url);
    for (const [name, value] of this.#cookies) other.#cookies.set(name, value);
    other.language = this.language;
    return other;
  }

  /** Rejects when the console does not take the password. */
  async signIn(user: string, password: string): Promise<this> {
    const answer = await this.submit('/login', { username: user, password });
    if (answer.status !== 200 || new URL(answer.url).pathname === '/login') {
      throw new Error(`not signed in as ${user}: ${answer.status} ${answer.text.slice(0, 300)}`);
    }
    return this;
  }

  /** Follows redirects, as a browser does. */
  async get(path: string): Promise<Page> {
    return this.#follow(await this.request('GET', path), path);
  }

  /** Opens the page, fills its form in and sends it; what was not typed is sent as the page had it. */
  async submit(path: string, typed: Typed, options: SubmitOptions = {}): Promise<Page> {
    return this.send(await this.get(path), typed, options);
  }

  /** Fills a form of a page that is open already: also after somebody else has changed what it shows. */
  async send(page: Page, typed: Typed, options: SubmitOptions = {}): Promise<Page> {
    const form = chooseForm(page, typed, options);
    const fields = fillIn(form, typed, options);
    const target = new URL(form.action === '' ? page.url : form.action, page.url);
    if (form.method === 'get') {
      target.search = fields.toString();
      return this.get(target.pathname + target.search);
    }
    const path = target.pathname + target.search;
    return this.#follow(await this.request('POST', path, fields), path);
  }

  /** One request and its bare answer, for what no browser would send. */
  async request(
    method: string,
    path: string,
    body?: string | URLSearchParams | FormData,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const response = await fetch(new URL(path, this.url), {
      method,
      redirect: 'manual',
      headers: {
        'accept-language': this.language,
        accept: 'text/html',
        cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(method === 'GET' ? {} : { origin: this.url, 'sec-fetch-site': 'same-origin' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    for (const cookie of response.headers.getSetCookie()) this.#keep(cookie);
    return response;
  }

  #keep(cookie: string): void {
    const [pair = '', ...rest] = cookie.split(';');
    const name = pair.slice(0, pair.indexOf('='));
    const gone = rest.some((part) => /^\s*(max-age=0|expires=thu, 01 jan 1970)/i.test(part));
    if (gone) this.#cookies.delete(name);
    else this.#cookies.set(name, pair.slice(name.length + 1));
  }

  async #follow(response: Response, path: string): Promise<Page> {
    let answer = response;
    let url = new URL(path, this.url);
    for (let hops = 0; hops < MAX_REDIRECTS; hops += 1) {
      const location = answer.headers.get('location');
      if (answer.status < 300 || answer.status >= 400 || location === null) {
        return readPage(answer, url);
      }
      url = new URL(location, url);
      await answer.arrayBuffer();
      answer = await this.request('GET', url.pathname + url.search);
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects from ${path}`);
  }
}

async function readPage(response: Response, url: URL): Promise<Page> {
  const html = await response.text();
  return {
    status: response.status,
    url: url.href,
    headers: response.headers,
    html,
    text: textOf(html),
    forms: readForms(html),
  };
}

function chooseForm(page: Page, typed: Typed, options: SubmitOptions): PageForm {
  const chosen = page.forms.find((form) =>
    options.action === undefined
      ? Object.keys(typed).every((name) => form.names.includes(name))
      : new URL(form.action, page.url).pathname === options.action,
  );
  if (chosen) return chosen;
  throw new Error(
    `${page.url} (${page.status}) has no form for ${options.action ?? Object.keys(typed).join(', ')}: ${page.text.slice(0, 500)}`,
  );
}

function fillIn(form: PageForm, typed: Typed, options: SubmitOptions): URLSearchParams {
  const fields = new URLSearchParams();
  for (const [name, value] of form.fields) if (!(name in typed)) fields.append(name, value);
  for (const [name, value] of Object.entries(typed)) {
    const values = value === null ? [] : typeof value === 'string' ? [value] : value;
    for (const each of values) fields.append(name, each);
  }
  const button = pressedButton(form, options.button);
  if (button) fields.append(button.name, button.value);
  return fields;
}

function pressedButton(form: PageForm, wanted: string | undefined) {
  const named = form.buttons.filter(({ name }) => name !== '');
  if (wanted === undefined) return named[0];
  const pressed = named.find(({ name, value }) => `${name}=${value}` === wanted);
  if (!pressed) throw new Error(`no button ${wanted} in the form for ${form.action}`);
  return pressed;
}
