import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLookup, type AddressQueries } from '../../lib/block-lists/lookup.js';
import { Judge } from '../../lib/block-lists/judge.js';
import { readListReports } from '../../lib/privileged/policy-status.js';
import { nameOf } from '../../lib/block-lists/names.js';

const CLIENT = '198.51.100.7';
const MINUTE_MS = 60_000;

/** A DNS that answers as told; `null` is silence. */
function dnsOf(answers: Record<string, readonly string[] | null>): AddressQueries {
  return {
    resolve4: ((name: string) => {
      const answer = answers[name];
      if (answer) return Promise.resolve([...answer]);
      const code = answer === null ? 'ETIMEOUT' : 'ENOTFOUND';
      return Promise.reject(Object.assign(new Error(code), { code }));
    }) as AddressQueries['resolve4'],
  };
}

const working = (zone: string) => ({ [nameOf('127.0.0.2', zone)]: ['127.0.0.2'] });
const lists = [
  { zone: 'one.example', weight: 2 },
  { zone: 'two.example', weight: 1 },
];

describe('the names asked of a block list', () => {
  it('are the address backwards, for IPv6 by nibbles (RFC 5782)', () => {
    assert.equal(nameOf('192.0.2.99', 'bl.example'), '99.2.0.192.bl.example');
    assert.equal(
      nameOf('2001:db8:1:2:3:4:567:89ab', 'bl.example'),
      'b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example',
    );
  });
});

describe('the judge', () => {
  function judgeOf(answers: Record<string, readonly string[] | null>, threshold = 3) {
    const clock = { now: 1_000_000 };
    const now = () => clock.now;
    const judge = new Judge({ port: 0, threshold, lists }, createLookup(dnsOf(answers), now), now);
    return { judge, clock };
  }

  it('asks no list before it was checked', async () => {
    const { judge } = judgeOf({ [nameOf(CLIENT, 'one.example')]: ['127.0.0.2'] }, 1);
    assert.deepEqual(await judge.refusing(CLIENT), []);
  });

  it('adds up the weights of the lists that have the client', async () => {
    const answers = {
      ...working('one.example'),
      ...working('two.example'),
      [nameOf(CLIENT, 'one.example')]: ['127.0.0.2'],
    };
    const below = judgeOf(answers);
    await below.judge.check();
    assert.deepEqual(await below.judge.refusing(CLIENT), []);
    const enough = judgeOf({ ...answers, [nameOf(CLIENT, 'two.example')]: ['127.0.0.9'] });
    await enough.judge.check();
    assert.deepEqual(await enough.judge.refusing(CLIENT), ['one.example', 'two.example']);
  });

  it('stops asking a list that begins to list everybody, and uses it again when it is well', async () => {
    const answers: Record<string, readonly string[] | null> = {
      ...working('one.example'),
      [nameOf(CLIENT, 'one.example')]: ['127.0.0.2'],
    };
    const { judge, clock } = judgeOf(answers, 2);
    await judge.check();
    assert.deepEqual(await judge.refusing(CLIENT), ['one.example']);
    answers[nameOf('127.0.0.1', 'one.example')] = ['127.0.0.2'];
    clock.now += 31 * MINUTE_MS;
    await judge.check();
    assert.deepEqual(await judge.refusing(CLIENT), []);
    assert.equal(judge.reports()[0]?.state, 'listsAll');
    delete answers[nameOf('127.0.0.1', 'one.example')];
    clock.now += 6 * MINUTE_MS;
    await judge.check();
    assert.deepEqual(await judge.refusing(CLIENT), ['one.example']);
  });

  it('refuses nobody for a list that began to list everybody since it was checked last', async () => {
    const answers: Record<string, readonly string[] | null> = {
      ...working('one.example'),
      [nameOf(CLIENT, 'one.example')]: ['127.0.0.2'],
    };
    const { judge, clock } = judgeOf(answers, 2);
    await judge.check();
    answers[nameOf('127.0.0.1', 'one.example')] = ['127.0.0.2'];
    clock.now += 2 * MINUTE_MS;
    const everybody = await Promise.all([judge.refusing(CLIENT), judge.refusing(CLIENT)]);
    assert.deepEqual(everybody, [[], []]);
    assert.equal(judge.reports()[0]?.state, 'listsAll');
  });

  it('does not wait for a list that has gone silent, mail after mail', async () => {
    const answers: Record<string, readonly string[] | null> = { ...working('one.example') };
    const { judge } = judgeOf(answers, 1);
    await judge.check();
    assert.equal(judge.reports()[0]?.state, 'good');
    for (let last = 1; last <= 5; last += 1) {
      answers[nameOf(`198.51.100.${last}`, 'one.example')] = null;
      await judge.refusing(`198.51.100.${last}`);
    }
    assert.equal(judge.reports()[0]?.state, 'silent');
  });

  it('takes an answer from outside 127.0.0.0/8 for none, and an error code for a refusal to answer', async () => {
    const { judge } = judgeOf(
      {
        ...working('one.example'),
        [nameOf(CLIENT, 'one.example')]: ['203.0.113.80'],
        [nameOf('127.0.0.2', 'two.example')]: ['127.255.255.254'],
      },
      1,
    );
    await judge.check();
    assert.deepEqual(await judge.refusing(CLIENT), []);
    assert.deepEqual(
      judge.reports().map(({ state }) => state),
      ['good', 'refused'],
    );
  });
});

describe('what the service says of its lists', () => {
  it('is believed only when it can be its own', () => {
    const good = { zone: 'one.example', state: 'waiting', ipv6: false, checkedAt: null };
    assert.deepEqual(readListReports(JSON.stringify([good])), [good]);
    const checked = { ...good, state: 'good', checkedAt: 1_790_000_000_000 };
    assert.deepEqual(readListReports(JSON.stringify([checked])), [checked]);
    for (const other of [
      ...[null, {}, 'x', [null], [{}], Array(11).fill(good)],
      ...[[{ ...good, zone: '<b>' }], [{ ...good, state: 'constructor' }]],
      ...[[{ ...good, checkedAt: 1e300 }], [{ ...good, more: 1 }]],
    ]) {
      assert.throws(() => readListReports(JSON.stringify(other)));
    }
  });
});
