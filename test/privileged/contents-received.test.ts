import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { receiveContents } from '../../lib/privileged/apply/contents-received.js';
import { sections } from '../../lib/sections/index.js';

type Pair = readonly [key: string, entry: readonly string[] | null];

function receive(base: string | null, batches: readonly (readonly Pair[])[], maxBytes?: number) {
  const items = (async function* () {
    for (const entries of batches) yield await Promise.resolve({ section: 'aliases', entries });
  })();
  return receiveContents({ aliases: { base } }, items, sections, maxBytes);
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
  it('are kept by their keys', async () => {
    const received = await receive(null, [
      [['sales', ['info@example.com']]],
      [['info', ['a@b.example']]],
    ]);
    assert.deepEqual([...(received.get('aliases')?.entries.keys() ?? [])], ['sales', 'info']);
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
