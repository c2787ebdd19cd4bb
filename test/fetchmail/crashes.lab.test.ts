/** Nothing is lost and nothing comes twice when a line drops, or somebody is killed: counted mail by mail. More: bench/fetchmail.ts. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { startCuttingProxy } from '../support/cutting-proxy.js';
import { startFetchLab, type FetchLab } from '../support/fetch-lab.js';
import { eachOnce, fetchNow, killRounds, subjectsOf } from '../support/fetch-rounds.js';
import { until } from '../support/wait.js';

/** Each kills fetchmail, some of them others beside; see `killRounds`. */
const ROUNDS = 10;

describe('fetching while something breaks', () => {
  let at: FetchLab;
  before(async () => {
    at = await startFetchLab();
  });
  after(() => at.stop());

  for (const [protocol, user, keep] of [
    ['imap', 'alice', null],
    ['pop3', 'bob', null],
    ['pop3', 'carol', '1'],
  ] as const) {
    it(`survives a line that drops in the middle of a message (${protocol}${keep ? ', messages stay' : ''})`, async () => {
      const account = `drop-${user}`;
      const wanted = subjectsOf(account, 6);
      await at.remote.addUser(account, 'secret');
      const body = 'A line of text that makes it longer.\n'.repeat(200);
      const texts = wanted.map((subject) => at.message(subject, '', body));
      await at.remote.put(account, texts);
      const proxy = await startCuttingProxy(at.remote.ports[protocol], 20_000, 2);
      try {
        await at.add({
          ...{ name: account, protocol, port: String(proxy.port), keep, remoteUser: account },
          ...{ remotePassword: 'secret', destination: 'user', users: [user] },
        });
        await until('the line to break twice', async () => {
          if (proxy.cuts < 2) await fetchNow(at, account);
          await pause(1_000);
          return proxy.cuts === 2;
        });
        await fetchNow(at, account);
        await eachOnce(at, account, user, wanted);
        assert.equal(proxy.cuts, 2);
      } finally {
        proxy.stop();
      }
    });
  }

  it('survives the kill of fetchmail, Postfix, helper, console and fetcher at any moment', async () => {
    const { messages } = await killRounds(at, { rounds: ROUNDS, messages: ROUNDS * 4 });
    assert.equal(messages, ROUNDS * 4 * 2);
  });
});
