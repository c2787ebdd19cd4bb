/** Rounds in which somebody is killed while mail is fetched, and the count afterwards, message by message. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { runNative } from '../../lib/privileged/native.js';
import { FETCHMAIL, type FetchLab } from './fetch-lab.js';
import { until } from './wait.js';

export interface RoundsOptions {
  readonly rounds: number;
  readonly messages: number;
  /** Told now and then how far it is. */
  readonly onRound?: (round: number) => void;
}

const ACCOUNTS = [
  { account: 'kill-imap', protocol: 'imap', user: 'dave' },
  { account: 'kill-pop', protocol: 'pop3', user: 'erika' },
] as const;

export function subjectsOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}-end`);
}

/** Waits until all of it is there, and throws when any of it came twice. */
export async function eachOnce(
  at: FetchLab,
  user: string,
  wanted: readonly string[],
): Promise<void> {
  await until(`all mail for ${user}`, async () =>
    [...(await arrived(at, user, wanted)).values()].every((count) => count > 0),
  );
  // What came twice would come within one more poll.
  await pause(2_000);
  const twice = [...(await arrived(at, user, wanted))].filter(([, count]) => count !== 1);
  assert.deepEqual(twice, []);
}

/** Kills fetchmail each round, and now and then helper, console and Postfix, at any moment. */
export async function killRounds(
  at: FetchLab,
  { rounds, messages, onRound = () => undefined }: RoundsOptions,
): Promise<void> {
  const each = Math.ceil(messages / rounds);
  for (const { account, protocol, user } of ACCOUNTS) {
    await at.remote.addUser(account, 'secret');
    await at.add({
      ...{ name: account, protocol, port: String(at.remote.ports[protocol]) },
      ...{ remoteUser: account, remotePassword: 'secret', destination: 'user', users: [user] },
    });
  }
  let sent = 0;
  for (let round = 0; round < rounds; round += 1) {
    onRound(round);
    const fresh = Array.from({ length: each }, (_, index) => sent + index);
    sent += each;
    for (const { account } of ACCOUNTS) {
      const texts = fresh.map((number) => at.message(`${account}-${number}-end`));
      await at.remote.put(account, texts);
      await fetchNow(at, account).catch(() => undefined);
    }
    await pause(randomInt(20, 500));
    await killSome(at, round);
  }
  for (const { account, user } of ACCOUNTS) {
    await until('the console to answer', () =>
      fetchNow(at, account).then(
        () => true,
        () => false,
      ),
    );
    await eachOnce(at, user, subjectsOf(account, sent));
  }
}

async function killSome(at: FetchLab, round: number): Promise<void> {
  const { pids } = await at.lab.facts();
  const postfix = round % 5 === 4;
  const victims = [
    ...(await named(at, 'fetchmail')),
    ...(round % 15 === 3 ? [pids.helper] : []),
    ...(round % 15 === 6 ? [pids.console] : []),
    ...(postfix ? await named(at, 'master') : []),
  ];
  for (const pid of victims) kill(pid);
  if (!postfix) return;
  const enter = ['-t', String(pids.inside), '-m', '--'];
  const start = [...enter, '/usr/sbin/postfix', '-c', at.lab.configDir, 'start'];
  await until('Postfix to run again', async () => {
    return (await runNative('/usr/bin/nsenter', start)).code === 0;
  });
}

/** After failures the next look is late: somebody wants it now. Rejects while the console is down. */
export async function fetchNow(at: FetchLab, name: string): Promise<void> {
  const page = await at.client.get(`${FETCHMAIL}?q=${name}`);
  const href = /\/mail\/fetchmail\/\d+/.exec(page.html)?.[0] ?? assert.fail('no query');
  await at.client.submit(href, {}, { action: `${href}/fetch` });
}

/**
 * How often each subject was brought in. A Postfix that is killed may put a message of its queue into a mailbox again when
 * it runs again; that has the same queue id, and was fetched once.
 */
async function arrived(
  at: FetchLab,
  user: string,
  wanted: readonly string[],
): Promise<Map<string, number>> {
  const ids = new Map(wanted.map((subject) => [subject, new Set<string>()]));
  for (const message of await at.lab.mailbox(user)) {
    const subject = /^Subject: (.*)$/m.exec(message)?.[1] ?? '';
    const id = /\bid ([0-9A-Za-z]{6,})/.exec(message)?.[1] ?? assert.fail('no queue id');
    ids.get(subject)?.add(id);
  }
  return new Map([...ids].map(([subject, known]) => [subject, known.size]));
}

async function named(at: FetchLab, name: string): Promise<number[]> {
  return (await at.lab.processes()).filter((pid) => commandOf(pid) === name);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
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
