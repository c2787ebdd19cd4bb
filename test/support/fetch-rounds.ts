/** Rounds in which somebody is killed while mail is fetched, and the count afterwards, message by message. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fetchPlaces } from '../../lib/fetcher/places.js';
import { readStatus } from '../../lib/fetcher/poll.js';
import { runNative } from '../../lib/privileged/native.js';
import { FETCHMAIL, type FetchLab } from './fetch-lab.js';
import { until } from './wait.js';

export interface RoundsOptions {
  readonly rounds: number;
  /** Per mailbox. */
  readonly messages: number;
  /** Told now and then how far it is. */
  readonly onRound?: (round: number) => void;
}

/** What became of all messages. Lost ones, and ones fetched twice without a word, are failures and not counted. */
export interface Ledger {
  readonly messages: number;
  /** Handed over twice because nobody can know, and told so. */
  readonly told: number;
  /** Handed over once, and put into the mailbox twice by a Postfix that was killed over it: one queue id. */
  readonly byPostfix: number;
}

const ACCOUNTS = [
  { account: 'kill-imap', protocol: 'imap', user: 'dave' },
  { account: 'kill-pop', protocol: 'pop3', user: 'erika' },
] as const;

/** Who looks after the fetcher gives it up when it dies too often; in milliseconds. */
const FETCHER_REST_MS = 15_000;

export function subjectsOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}-end`);
}

/** Waits until the mailbox at the provider is empty and all of it is here, and throws when any of it came twice. */
export async function eachOnce(
  at: FetchLab,
  account: string,
  user: string,
  wanted: readonly string[],
): Promise<Ledger> {
  await until(`all mail for ${user}, and nothing in the queue`, async () => {
    const there = [...(await arrived(at, user, wanted)).values()].every((ids) => ids.length > 0);
    if (there && (await inPostfix(at, '-j')) === '') return true;
    // What a killed delivery left behind waits for minutes otherwise.
    await inPostfix(at, '-f');
    await pause(500);
    return false;
  });
  const copies = await arrived(at, user, wanted);
  const told = await toldOf(at, account);
  const twice = [...copies].filter(([, ids]) => new Set(ids).size > 1);
  assert.deepEqual(
    twice.filter(([subject]) => !told.includes(`<${subject}@fetch.test>`)),
    [],
  );
  const byPostfix = [...copies.values()].filter((ids) => ids.length > new Set(ids).size).length;
  return { messages: wanted.length, told: twice.length, byPostfix };
}

/** Kills fetchmail each round, and now and then helper, console, the fetcher and Postfix, at any moment. */
export async function killRounds(
  at: FetchLab,
  { rounds, messages, onRound = () => undefined }: RoundsOptions,
): Promise<Ledger> {
  const each = Math.ceil(messages / rounds);
  // A local(8) that is killed leaves its lock beside an mbox for minutes; a Maildir has none.
  const base = '/mail/configuration/base';
  await at.client.submit(
    base,
    { mailboxFormat: 'maildir' },
    { action: base, button: 'intent=save' },
  );
  for (const { account, protocol, user } of ACCOUNTS) {
    await at.remote.addUser(account, 'secret');
    await at.add({
      ...{ name: account, protocol, port: String(at.remote.ports[protocol]) },
      ...{ remoteUser: account, remotePassword: 'secret', destination: 'user', users: [user] },
    });
  }
  let sent = 0;
  let fetcherKilledAt = 0;
  for (let round = 0; round < rounds; round += 1) {
    onRound(round);
    const fresh = Array.from({ length: each }, (_, index) => sent + index);
    sent += each;
    for (const { account } of ACCOUNTS) {
      const texts = fresh.map((number) => at.message(`${account}-${number}-end`));
      await at.remote.put(account, texts);
    }
    await until('somebody to fetch', async () => {
      const asked = ACCOUNTS.map(({ account }) => fetchNow(at, account).catch(() => undefined));
      let answered = false;
      void Promise.all(asked).then(() => (answered = true));
      while (!answered) if ((await running(at, isFetchmail)).length > 0) return true;
      const left = await Promise.all(ACCOUNTS.map(({ account }) => at.remote.count(account)));
      return left.every((count) => count === 0);
    });
    await pause(randomInt(0, 400));
    const now = Date.now();
    const fetcher = now - fetcherKilledAt > FETCHER_REST_MS;
    if (fetcher) fetcherKilledAt = now;
    await killSome(at, round, fetcher);
  }
  let all: Ledger = { messages: 0, told: 0, byPostfix: 0 };
  for (const { account, user } of ACCOUNTS) {
    await emptied(at, account);
    const one = await eachOnce(at, account, user, subjectsOf(account, sent));
    all = {
      messages: all.messages + one.messages,
      told: all.told + one.told,
      byPostfix: all.byPostfix + one.byPostfix,
    };
  }
  return all;
}

/** After failures the next look is late: somebody wants it now, also when the console has just been killed. */
export async function emptied(at: FetchLab, account: string): Promise<void> {
  await until(`the mailbox ${account} to be empty`, async () => {
    if ((await at.remote.count(account)) === 0) return true;
    await fetchNow(at, account).catch(() => undefined);
    await pause(500);
    return false;
  });
}

async function killSome(at: FetchLab, round: number, fetcher: boolean): Promise<void> {
  const { pids } = await at.lab.facts();
  const postfix = round % 5 === 4;
  const victims = [
    ...(await running(at, isFetchmail)),
    ...(round % 15 === 3 ? [pids.helper] : []),
    ...(round % 15 === 6 ? [pids.console] : []),
    ...(fetcher ? [pids.fetcher] : []),
    ...(postfix
      ? await running(at, (program) => program.startsWith('/usr/lib/postfix/sbin/'))
      : []),
  ];
  // A number that was noted may be somebody else's by now.
  const ours = new Set(await at.lab.processes());
  for (const pid of victims) if (ours.has(pid)) kill(pid);
  if (!postfix) return;
  const enter = ['-t', String(pids.inside), '-m', '--'];
  const start = [...enter, '/usr/sbin/postfix', '-c', at.lab.configDir, 'start'];
  await until('Postfix to run again', async () => {
    return (await runNative('/usr/bin/nsenter', start)).code === 0;
  });
}

/** Rejects while the console is down. */
export async function fetchNow(at: FetchLab, name: string): Promise<void> {
  const href = await hrefOf(at, name);
  await at.client.submit(href, {}, { action: `${href}/fetch` });
}

async function hrefOf(at: FetchLab, name: string): Promise<string> {
  const page = await at.client.get(`${FETCHMAIL}?q=${name}`);
  return /\/mail\/fetchmail\/\d+/.exec(page.html)?.[0] ?? assert.fail('no query');
}

/** Message-IDs the status of a query tells may be here twice. */
async function toldOf(at: FetchLab, account: string): Promise<readonly string[]> {
  const id = (await hrefOf(at, account)).split('/').at(-1) ?? '';
  const status = await readStatus(fetchPlaces(at.lab.root).of(id));
  return (status?.maybeTwice ?? []).map(({ messageId }) => messageId);
}

/** `-j` lists the queue, `-f` has it tried at once. */
async function inPostfix(at: FetchLab, what: '-j' | '-f'): Promise<string> {
  const { pids } = await at.lab.facts();
  const command = ['/usr/sbin/postqueue', '-c', at.lab.configDir, what];
  const args = ['-t', String(pids.inside), '-m', '--', ...command];
  return (await runNative('/usr/bin/nsenter', args)).stdout.trim();
}

/**
 * The queue ids under which each subject came. A Postfix that is killed may put a message of its queue into a mailbox again
 * when it runs again, since local(8) notes after it has written: that has the same queue id, and was fetched once.
 */
async function arrived(
  at: FetchLab,
  user: string,
  wanted: readonly string[],
): Promise<Map<string, string[]>> {
  const ids = new Map(wanted.map((subject) => [subject, [] as string[]]));
  for (const message of await at.lab.mailbox(user)) {
    const subject = /^Subject: (.*)$/m.exec(message)?.[1] ?? '';
    const id = /\bid ([0-9A-Za-z]{6,})/.exec(message)?.[1] ?? assert.fail('no queue id');
    ids.get(subject)?.push(id);
  }
  return ids;
}

function isFetchmail(program: string): boolean {
  return program === '/usr/bin/fetchmail';
}

async function running(at: FetchLab, wanted: (program: string) => boolean): Promise<number[]> {
  return (await at.lab.processes()).filter((pid) => wanted(programOf(pid)));
}

function programOf(pid: number): string {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return command === '' ? '' : readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
