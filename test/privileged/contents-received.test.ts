import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { HelperError } from '../../lib/errors.js';
import { receiveContents } from '../../lib/privileged/apply/contents-received.js';
import { entriesOfLine } from '../../lib/privileged/apply/contents-source.js';
import { sections } from '../../lib/sections/index.js';
import { itemsReceived, receivedList } from '../support/contents-items.js';

type Pair = readonly [key: string, entry: readonly string[] | null];

async function receive(
  base: string | null,
  batches: readonly (readonly Pair[])[],
  maxBytes?: number,
) {
  const items = (async function* () {
    for (const item of itemsReceived('aliases', ...batches)) yield await Promise.resolve(item);
  })();
  const receiving = receiveContents({ aliases: { base } }, items, sections, maxBytes);
  await receiving.digests;
  return receiving.sections.get('aliases')?.pieces ?? [];
}

function refusal(key: string, values: Record<string, unknown>): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof HelperError);
    assert.deepEqual([error.stage, error.key, error.restored], ['validate', key, true]);
    for (const [name, value] of Object.entries(values)) assert.equal(error.values[name], value);
    return true;
  };
}

describe('entries that follow a request', () => {
  it('are passed on as they come, with their source text', async () => {
    const sales: Pair = ['sales', ['info@example.com']];
    const info: Pair = ['info', ['a@b.example']];
    const pieces: unknown[] = [];
    for await (const { entries, text } of await receive(null, [[sales], [info]])) {
      pieces.push([entries, text.toString()]);
    }
    const expected = [sales, info].map((pair) => [[pair], `${JSON.stringify(pair)}\n`]);
    assert.deepEqual(pieces, expected);
  });

  it('end with the refusal of one, for who takes them too', async () => {
    const bad: Pair = ['sales', ['/etc/passwd']];
    const items = (async function* () {
      yield* await Promise.resolve(itemsReceived('aliases', [['info', ['a@b.example']]], [bad]));
    })();
    const { sections: incoming } = receiveContents({ aliases: { base: null } }, items, sections);
    const taken: unknown[] = [];
    const taking = (async () => {
      for await (const piece of incoming.get('aliases')?.pieces ?? []) taken.push(piece.entries);
    })();
    await assert.rejects(taking, refusal('helper.contents.entry', { key: 'sales' }));
    assert.ok(taken.length <= 1);
  });

  it('are read to their end after a refusal: whoever still sends does not lose the answer', async () => {
    let sent = 0;
    let told: unknown = null;
    let taking: Promise<unknown> = Promise.resolve(null);
    const items = (async function* () {
      yield { section: 'aliases' };
      for (; sent < 20; sent += 1) {
        yield await Promise.resolve(receivedList([['sales', ['/etc/passwd']]]));
        if (sent === 9) told = await taking;
      }
    })();
    const receiving = receiveContents({ aliases: { base: null } }, items, sections);
    taking = (async () => {
      for await (const piece of receiving.sections.get('aliases')?.pieces ?? []) return piece;
      return null;
    })().catch((error: unknown) => error);
    await assert.rejects(receiving.digests, refusal('helper.contents.entry', { key: 'sales' }));
    assert.equal(sent, 20);
    assert.ok(told instanceof HelperError, 'and what is done with them ends at once');
  });

  it('are not read on while many of them wait for who takes them', async () => {
    let sent = 0;
    const items = (async function* () {
      yield { section: 'aliases' };
      for (; sent < 50; sent += 1) {
        yield await Promise.resolve(receivedList([[`a${sent}`, ['a@b.example']]]));
      }
    })();
    const receiving = receiveContents({ aliases: { base: null } }, items, sections);
    const waits = async (): Promise<number> => {
      for (let turns = 0; turns < 100; turns += 1) await turn();
      return sent;
    };
    const first = await waits();
    assert.ok(first < 10, `${first} were read that nobody took`);
    const pieces = receiving.sections.get('aliases')?.pieces[Symbol.asyncIterator]();
    for (let taken = 0; taken < 3; taken += 1) await pieces?.next();
    assert.equal(await waits(), first + 3);
    await receiving.drain();
    assert.equal(sent, 50, 'nor when it is known that nobody will');
  });

  it('of one section are read on while somebody waits for those of another', async () => {
    const items = (async function* () {
      yield* itemsReceived('aliases', ...Array.from({ length: 30 }, (_, n) => [[`a${n}`, ['b']]]));
      yield* await Promise.resolve(itemsReceived('recipients', [['anna', 'anna']]));
    })();
    const announced = { aliases: { base: null }, recipients: { base: null } };
    const { sections: incoming } = receiveContents(announced, items, sections);
    const counts: number[] = [];
    for (const section of ['recipients', 'aliases']) {
      let count = 0;
      for await (const { entries } of incoming.get(section)?.pieces ?? []) count += entries.length;
      counts.push(count);
    }
    assert.deepEqual(counts, [1, 30]);
  });

  it('name a key once, in one item or in two', async () => {
    const sales: Pair = ['sales', ['info@example.com']];
    const twice = refusal('helper.contents.entry', { section: 'aliases', key: 'sales' });
    await assert.rejects(receive(null, [[sales, sales]]), twice);
    await assert.rejects(receive('0'.repeat(64), [[sales], [['sales', null]]]), twice);
  });

  it('name a key once, in whatever order they come', async () => {
    const pair = (name: string): Pair => [name, ['info@example.com']];
    const twice = refusal('helper.contents.entry', { section: 'aliases', key: 'b' });
    const [a, b, c] = ['a', 'b', 'c'].map(pair) as [Pair, Pair, Pair];
    for (const batches of [
      [[a, b, c, b]],
      [[a, b, b]],
      [[a, b], [c], [b]],
      [
        [c, b],
        [a, b],
      ],
    ]) {
      await assert.rejects(receive(null, batches), twice);
    }
    for (const batches of [[[a, b], [c]], [[c], [b], [a]], [[a, c], [b]], [[b, c, a]]]) {
      let count = 0;
      for await (const { entries } of await receive(null, batches)) count += entries.length;
      assert.equal(count, 3);
    }
  });

  it('are pairs and nothing more', async () => {
    const longer = ['sales', ['info@example.com'], 'more'] as unknown as Pair;
    await assert.rejects(receive(null, [[longer]]), refusal('helper.contents.entry', {}));
  });

  it('have the same digest and the same source text, whatever came together', async () => {
    const pairs = Array.from({ length: 2_500 }, (_, n): Pair => [`a${n}`, ['info@example.com']]);
    const digestOf = async (batches: readonly (readonly Pair[])[]) => {
      const items = itemsReceived('aliases', ...batches);
      const following = (async function* () {
        for (const item of items) yield await Promise.resolve(item);
      })();
      const receiving = receiveContents({ aliases: { base: null } }, following, sections);
      const read: unknown[] = [];
      for await (const { text } of receiving.sections.get('aliases')?.pieces ?? []) {
        for (const line of text.toString().split('\n').slice(0, -1)) {
          read.push(...entriesOfLine(line));
        }
      }
      assert.deepEqual(read, pairs);
      return (await receiving.digests)['aliases'];
    };
    const digests = await Promise.all([
      digestOf([pairs]),
      digestOf([pairs.slice(0, 7), pairs.slice(7)]),
      digestOf(pairs.map((pair) => [pair])),
    ]);
    assert.equal(new Set(digests).size, 1);
  });

  it('are refused when they are larger than the memory meant for them', async () => {
    const entries = Array.from({ length: 4_000 }, (_, n): Pair => [`a${n}`, ['info@example.com']]);
    await receive(null, [entries], 256 * 1024);
    await assert.rejects(
      receive(null, [entries], 64 * 1024),
      refusal('helper.contents.size', { section: 'aliases', mib: 1 / 16 }),
    );
  });
});
