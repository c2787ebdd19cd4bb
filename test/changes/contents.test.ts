/** What crosses to the helper with a change of very many entries. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Knex } from 'knex';
import { requestWithContents, type ContentsToSend } from '../../lib/changes/contents.js';
import type { HelperTransport } from '../../lib/contract.js';
import { ListLine } from '../../lib/client/list-line.js';
import { MAX_LINE_BYTES } from '../../lib/privileged/protocol.js';
import { entriesSent } from '../support/contents-items.js';

const ALIASES = 60_000;
const TARGETS = Array.from({ length: 4 }, (_, n) => `someone.${n}@somewhere.outside.example`);

describe('entries that cross to the helper', () => {
  const delta = new Map<string, unknown>(
    Array.from({ length: ALIASES }, (_, n) => [`person.${n}@example.org`, TARGETS]),
  );
  const params = { databaseId: 'x', change: 1, dryRun: false, sections: { aliases: {} } };

  const send = async (base: string | null): Promise<readonly unknown[]> => {
    const items: unknown[] = [];
    const helper: HelperTransport = {
      request: async (_action, _params, { input }) => {
        for await (const item of input ?? []) items.push(item);
        return {};
      },
    };
    const there = [...delta].slice(0, 10);
    const source = {
      delta: () => delta,
      // eslint-disable-next-line @typescript-eslint/require-await -- one page is all there is
      all: async function* () {
        yield [...there, ['kept', ['alice']] as const];
      },
    };
    const contents: ContentsToSend = {
      sections: new Map([['aliases', { source, base, delta }]]),
      sources: new Map(),
      db: {} as Knex,
    };
    await requestWithContents(helper, params, 'ann', contents);
    return items;
  };

  for (const [what, base] of Object.entries({ 'a delta': 'a'.repeat(64), 'all there is': null })) {
    it(`are all there, each once, in lines that it takes, for ${what}`, async () => {
      const items = await send(base);
      assert.deepEqual(items[0], { section: 'aliases' });
      const keys = entriesSent(items).map(([key]) => key);
      const wanted = base === null ? ['kept', ...delta.keys()] : [...delta.keys()];
      assert.deepEqual(keys, wanted);
      for (const line of items.slice(1)) {
        assert.ok(line instanceof ListLine && line.text.length < MAX_LINE_BYTES / 4);
      }
    });
  }
});
