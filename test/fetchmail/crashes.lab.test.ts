/** Nothing is lost and nothing comes twice, whoever is killed in the middle and whatever line breaks: counted mail by mail. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { runNative } from '../../lib/privileged/native.js';
import { startCuttingProxy } from '../support/cutting-proxy.js';
import { startFetchLab, type FetchLab } from '../support/fetch-lab.js';
import { until } from '../support/wait.js';

const MESSAGES = 60;
const ROUNDS = 10;

describe('fetching while something breaks', () => {
  let at: FetchLab;
  before(async () => {
    at = await startFetchLab();
  });
  after(() => at.stop());

  const subjects = (prefix: string, count: number): string[] =>
    Array.from({ length: count }, (_, index) => `${prefix}-${index}-end`);

  /** How often each subject arrived. */
  async function arrived(user: string, wanted: readonly string[]): Promise<Map<string, number>> {
    const counts = new Map(wanted.map((subject) => [subject, 0]));
    for (const message of await at.lab.mailbox(user)) {
      const subject = /^Subject: (.*)$/m.exec(message)?.[1] ?? '';
      if (counts.has(subject)) counts.set(subject, (counts.get(subject) ?? 0) + 1);
    }
    return counts;
  }

  async function eachOnce(user: string, wanted: readonly string[]): Promise<void> {
    await until(`all mail for ${user}`, async () =>
      [...(await arrived(user, wanted)).values()].every((count) => count > 0),
    );
    // What came twice would come within one more poll.
    await pause(2_000);
    const twice = [...(await arrived(user, wanted))].filter(([, count]) => count !== 1);
    assert.deepEqual(twice, []);
  }

  for (const [protocol, user, keep] of [
    ['imap', 'alice', null],
    ['pop3', 'bob', null],
    ['pop3', 'carol', '1'],
  ] as const) {
    it(`a line that drops in the middle of a message (${protocol}${keep ? ', messages stay' : ''})`, async () => {
      const account = `drop-${user}`;
      const wanted = subjects(account, 6);
      await at.remote.addUser(account, 'secret');
      const body = 'A line of text that makes it longer.\n'.repeat(200);
      await at.remote.put(
        account,
        wanted.map((subject) => at.message(subject, '', body)),
      );
      const proxy = await startCuttingProxy(at.remote.ports[protocol], 20_000, 2);
      try {
        await at.add({
          ...{ name: account, protocol, port: String(proxy.port), keep, remoteUser: account },
          ...{ remotePassword: 'secret', destination: 'user', users: [user] },
        });
        await eachOnce(user, wanted);
        assert.equal(proxy.cuts, 2);
      } finally {
        proxy.stop();
      }
    });
  }

  it(`kill -9 of fetchmail, helper, console and Postfix, ${ROUNDS} times at any moment`, async () => {
    const accounts = [
      { account: 'kill-imap', protocol: 'imap', user: 'dave' },
      { account: 'kill-pop', protocol: 'pop3', user: 'erika' },
    ] as const;
    for (const { account, protocol, user } of accounts) {
      await at.remote.addUser(account, 'secret');
      await at.remote.put(
        account,
        subjects(account, MESSAGES).map((subject) => at.message(subject)),
      );
      await at.add({
        ...{ name: account, protocol, port: String(at.remote.ports[protocol]) },
        ...{ remoteUser: account, remotePassword: 'secret', destination: 'user', users: [user] },
      });
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      await pause(randomInt(50, 600));
      const { pids } = await at.lab.facts();
      const victims = [
        ...(await named('fetchmail')),
        ...(round === 3 ? [pids.helper] : round === 6 ? [pids.console] : []),
        ...(round === 4 || round === 8 ? await named('master') : []),
      ];
      for (const pid of victims) kill(pid);
      if (round === 4 || round === 8) await startPostfix();
    }
    // A poll that failed is repeated later each time: somebody saves, or wants it now.
    for (const { account, user } of accounts) {
      await at.lab.signIn().then((client) => fetchNow(client, account));
      await eachOnce(user, subjects(account, MESSAGES));
    }
  });

  async function fetchNow(client: FetchLab['client'], name: string): Promise<void> {
    const page = await client.get(`/mail/fetchmail?q=${name}`);
    const href = /\/mail\/fetchmail\/\d+/.exec(page.html)?.[0] ?? assert.fail('no query');
    await client.submit(href, {}, { action: `${href}/fetch` });
  }

  async function named(name: string): Promise<number[]> {
    const pids = await at.lab.processes();
    return pids.filter((pid) => commandOf(pid) === name);
  }

  async function startPostfix(): Promise<void> {
    const { pids } = await at.lab.facts();
    const enter = ['-t', String(pids.inside), '-m', '--'];
    await until('Postfix to run again', async () => {
      const args = [...enter, '/usr/sbin/postfix', '-c', at.lab.configDir, 'start'];
      return (await runNative('/usr/bin/nsenter', args)).code === 0;
    });
  }
});

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
