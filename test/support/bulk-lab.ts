/** A lab with people of its own by the hundred, a domain, and mailings that are written and sent as a person does it. */
import { appendFile, readdir, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { ConsoleClient, Page, Typed } from './console-client.js';
import { startLab, type Lab } from './lab.js';
import { until } from './wait.js';

const LOOK_AGAIN_MS = 1_000;
/** User ids of these people; a lab's own have 30001 and so on. */
const FIRST_USER_ID = 40_001;

export const BULK = '/mail/bulk';
export const DOMAIN = 'example.com';

export interface BulkLab {
  readonly lab: Lab;
  readonly client: ConsoleClient;
  /** Writes a draft and returns its address. Rejects when it is refused. */
  write(typed: Typed): Promise<string>;
  /** Presses the button that sends it. */
  send(draft: string): Promise<Page>;
  /** Waits until its page says what is asked for. */
  waitFor(mailing: string, words: RegExp): Promise<Page>;
  stop(): Promise<void>;
}

export async function startBulkLab(people = 0): Promise<BulkLab> {
  const lab = await startLab();
  try {
    if (people > 0) await addPeople(lab, people);
    const client = await lab.signIn();
    const domains = '/mail/configuration/domains';
    const options = { action: domains, button: 'intent=save' };
    const saved = await client.submit(domains, { name: DOMAIN }, options);
    if (saved.status !== 200) throw new Error(saved.text);
    return { ...bulkClient(lab, client), stop: async () => void (await lab.stop()) };
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

export function bulkClient(lab: Lab, client: ConsoleClient): Omit<BulkLab, 'stop'> {
  return {
    lab,
    client,
    async write(typed) {
      const page = await client.submit(
        `${BULK}/new`,
        { from: `alice@${DOMAIN}`, subject: 'News', body: 'Hello {name}', rate: '', ...typed },
        { action: `${BULK}/new` },
      );
      const { pathname } = new URL(page.url);
      if (page.status !== 200 || !/\/\d+$/.test(pathname)) throw new Error(page.text);
      return pathname;
    },
    async send(draft) {
      const page = await client.submit(draft, {}, { action: `${draft}/send` });
      if (page.status !== 200) throw new Error(page.text);
      return page;
    },
    waitFor: (mailing, words) =>
      until(
        `${mailing} to say ${String(words)}`,
        async () => {
          const page = await client.get(mailing).catch(() => null);
          if (page !== null && words.test(page.text)) return page;
          // As often as a browser would ask: whoever asks all the time slows down what is asked about.
          await pause(LOOK_AGAIN_MS);
          return null;
        },
        600_000,
      ),
  };
}

/** Accounts in the lab's own passwd, which only its processes see. Their mailboxes come with their first mail. */
async function addPeople({ root }: Lab, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, index) => index);
  const line = (index: number): string => {
    const uid = FIRST_USER_ID + index;
    return `${personOf(index)}:x:${uid}:${uid}:Person ${index},,,:${root}/home:/bin/sh`;
  };
  const groups = numbers.map((index) => `${personOf(index)}:x:${FIRST_USER_ID + index}:`);
  const staff = `everyone:x:39999:${numbers.map(personOf).join(',')}`;
  await appendFile(`${root}/etc/group`, `${[...groups, staff].join('\n')}\n`);
  await appendFile(`${root}/etc/passwd`, `${numbers.map(line).join('\n')}\n`);
}

/** As smtp-source(1) numbers recipients: `1person`, `2person` … */
export function personOf(index: number): string {
  return `${index + 1}person`;
}

/** Message ids in all mailboxes, each with the logins that have it, and how often. */
export async function countMailboxes(
  lab: Lab,
  subject: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const folder = `${lab.root}/var/mail`;
  const found = new Map<string, string[]>();
  for (const login of await readdir(folder)) {
    const text = await readFile(`${folder}/${login}`, 'utf8');
    const ids = text
      .split(/^From (?=\S+@)/m)
      .filter((message) => message.includes(`\nSubject: ${subject}\n`))
      .map((message) => /^\s+by \S+ \(Postfix\) with E?SMTP id (\S+)/m.exec(message)?.[1] ?? '');
    if (ids.length > 0) found.set(login, ids);
  }
  return found;
}
