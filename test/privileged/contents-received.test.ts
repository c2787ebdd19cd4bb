import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { receiveContents } from '../../lib/privileged/apply/contents-received.js';
import { sections } from '../../lib/sections/index.js';

type Pair = readonly [key: string, entry: readonly string[] | null];

async function receive(
  base: string | null,
  batches: readonly (readonly Pair[])[],
  maxBytes?: number,
) {
  const items = (async function* () {
    for (const entries of batches) yield await Promise.resolve({ section: 'aliases', entries });
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
      yield await Promise.resolve({ section: 'aliases', entries: [['info', ['a@b.example']]] });
      yield { section: 'aliases', entries: [bad] };
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
      for (; sent < 20; sent += 1) {
        yield await Promise.resolve({ section: 'aliases', entries: [['sales', ['/etc/passwd']]] });
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

  it('name a key once, in one item or in two', async () => {
    const sales: Pair = ['sales', ['info@example.com']];
    const twice = refusal('helper.contents.entry', { section: 'aliases', key: 'sales' });
    await assert.rejects(receive(null, [[sales, sales]]), twice);
    await assert.rejects(receive('0'.repeat(64), [[sales], [['sales', null]]]), twice);
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
