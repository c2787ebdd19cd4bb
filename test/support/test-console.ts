/** The real console and plugin on a database in memory, and a browser's few habits: cookies, forms, tokens. */
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import request from 'supertest';
import { createConsole, type Console, type ConsoleParts } from '../../lib/console/console.js';
import type { AccountSettings } from '../../lib/console/accounts/schema.js';
import type { SystemPasswords } from '../../lib/console/sign-in/saslauthd.js';
import { createPlugin } from '../../lib/plugin.js';
import { openMemoryDatabase, type MemoryDatabase } from './memory-database.js';

export const PASSWORD = 'correct horse battery';

export interface TestConsole {
  readonly console: Console;
  readonly database: MemoryDatabase;
  readonly secret: Buffer;
  /** What was logged, as JSON lines. */
  readonly log: string[];
  browser(): Browser;
  /** Another console on the same database, as after a restart with other settings. */
  beside(changes: Partial<ConsoleParts>): Console;
  account(login: string, settings?: Partial<AccountSettings>, password?: string): Promise<string>;
  close(): Promise<void>;
}

const NO_SYSTEM: SystemPasswords = {
  check: () => Promise.resolve('unavailable'),
  available: () => Promise.resolve(false),
};

export async function startTestConsole(changes: Partial<ConsoleParts> = {}): Promise<TestConsole> {
  const database = await openMemoryDatabase();
  const log: string[] = [];
  const secret = randomBytes(32);
  const parts: ConsoleParts = {
    db: database.db,
    log: pino({ level: 'debug' }, { write: (line: string) => void log.push(line) }),
    secret,
    brand: { product: 'Acme Server', vendor: 'Acme', support: 'help@acme.example' },
    helper: null,
    directory: {
      kind: 'nss',
      users: () => Promise.resolve([]),
      groups: () => Promise.resolve([]),
      onChange: () => () => undefined,
    },
    systemPasswords: NO_SYSTEM,
    trustedUserHeader: null,
    behindProxy: false,
    certificates: () => Promise.resolve([]),
    createPlugin,
    ...changes,
  };
  const made = createConsole(parts);
  await made.start();
  return {
    console: made,
    database,
    secret,
    log,
    browser: () => new Browser(made),
    beside: (other) => createConsole({ ...parts, ...other }),
    async account(login, settings = {}, password = PASSWORD) {
      const account = await made.accounts.create(
        {
          login,
          name: '',
          email: '',
          kind: 'own',
          level: 'admin',
          manages: true,
          ...settings,
        },
        password,
        'test',
      );
      return account.id;
    },
    async close() {
      await made.close();
      await database.close();
    },
  };
}

/** Keeps cookies, and sends forms as a browser does: with the page's token and its own origin. */
export class Browser {
  readonly agent;
  readonly #headers: Record<string, string> = { 'Sec-Fetch-Site': 'same-origin' };

  constructor(made: Console, headers: Record<string, string> = {}) {
    this.agent = request.agent(made.app);
    Object.assign(this.#headers, headers);
  }

  get(path: string) {
    return this.agent.get(path).set(this.#headers);
  }

  /** Posts fields without adding anything. */
  send(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
    return this.agent
      .post(path)
      .type('form')
      .set({ ...this.#headers, ...headers })
      .send(fields);
  }

  /** Opens `page`, takes its token and posts the fields to `path`. */
  async submit(page: string, path: string, fields: Record<string, string>) {
    const token = tokenIn((await this.get(page)).text);
    return this.send(path, { _csrf: token, ...fields });
  }

  signIn(username: string, password: string = PASSWORD, more: Record<string, string> = {}) {
    return this.submit('/login', '/login', { username, password, ...more });
  }
}

export function tokenIn(html: string): string {
  return fieldIn(html, '_csrf');
}

/** The value of a hidden field; throws when the page has none. */
export function fieldIn(html: string, name: string): string {
  const match = new RegExp(`name="${name}" value="([^"]*)"`).exec(html);
  if (match?.[1] === undefined) throw new Error(`no field ${name} in: ${html.slice(0, 2000)}`);
  return match[1];
}
