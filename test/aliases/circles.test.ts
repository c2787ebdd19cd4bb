/** Which of many aliases may turn in a circle, beside what each says by itself. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { mayTurn } from '../../lib/aliases/circles.js';
import { healthOf } from '../../lib/aliases/health.js';
import type { World } from '../../lib/aliases/resolve.js';

interface Named {
  readonly name: string;
  readonly targets: readonly string[];
}

const LOCAL = 'example.org';

function worldOf(aliases: readonly Named[], isLocal = (domain: string) => domain === LOCAL): World {
  const targets = new Map(aliases.map((one) => [one.name, one.targets]));
  return {
    ...{ isLocal, domains: [LOCAL], delimiters: '+', home: LOCAL, unknownToAdmin: false },
    ...{ users: new Set(['alice']), addresses: new Set<string>(), system: new Map() },
    people: new Set(['alice']),
    aliases: (names) =>
      Promise.resolve(
        new Map(
          names.flatMap((name) => {
            const found = targets.get(name);
            return found ? [[name, found] as const] : [];
          }),
        ),
      ),
  };
}

async function suspectsOf(aliases: readonly Named[], world: World): Promise<Set<string>> {
  const names = new Set<string>();
  const enabled = aliases.map((one) => ({ ...one, enabled: true }));
  for await (const found of mayTurn(enabled, world)) for (const { name } of found) names.add(name);
  return names;
}

async function loopsOf(aliases: readonly Named[], world: World): Promise<string[]> {
  const enabled = aliases.map((one) => ({ ...one, enabled: true }));
  const health = await healthOf(enabled, world);
  return [...health].flatMap(([name, { state }]) => (state === 'loop' ? [name] : []));
}

describe('the search for circles among many aliases', () => {
  it('leaves out none that turns, in random graphs', async () => {
    const local = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'alice');
    const domain = fc.constantFrom('', '', `@${LOCAL}`, '@far.example');
    const target = fc
      .tuple(local, fc.constantFrom('', '', '', '+x'), domain)
      .map((parts) => parts.join(''));
    const name = fc.oneof(
      { weight: 9, arbitrary: fc.tuple(local, domain).map((parts) => parts.join('')) },
      { weight: 1, arbitrary: fc.constant(`@${LOCAL}`) },
    );
    const alias = fc.record({
      name,
      targets: fc.uniqueArray(target, { minLength: 1, maxLength: 3 }),
    });
    const graph = fc.uniqueArray(alias, { selector: (one) => one.name, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(graph, async (aliases) => {
        const world = worldOf(aliases);
        const suspects = await suspectsOf(aliases, world);
        const missed = (await loopsOf(aliases, world)).filter((one) => !suspects.has(one));
        assert.deepEqual(missed, []);
      }),
      { numRuns: 200 },
    );
  });

  it('names chains and lists that are longer than Postfix follows, and no shorter ones', async () => {
    const chain = (length: number): Named[] =>
      Array.from({ length }, (_, n) => ({
        ...{ name: `link${n}` },
        targets: [n === 0 ? 'alice' : `link${n - 1}`],
      }));
    const short = chain(500);
    assert.deepEqual([...(await suspectsOf(short, worldOf(short)))], []);
    const long = chain(1_200);
    const suspects = await suspectsOf(long, worldOf(long));
    assert.ok(suspects.has('link1199') && !suspects.has('link500'));

    const list = (name: string, count: number, of: (n: number) => string): Named => {
      return { name, targets: Array.from({ length: count }, (_, n) => of(n)) };
    };
    const lists = [
      list('one', 400, (n) => `a${n}@far.example`),
      list('two', 400, (n) => `b${n}@far.example`),
      list('three', 400, (n) => `c${n}@far.example`),
      list('pair', 2, (n) => ['one', 'two'][n] ?? ''),
      list('all', 3, (n) => ['one', 'two', 'three'][n] ?? ''),
    ];
    assert.deepEqual([...(await suspectsOf(lists, worldOf(lists)))], ['all']);
    assert.deepEqual(await loopsOf(lists, worldOf(lists)), ['all']);
  });

  it('goes through a list once, however many lead to it', async () => {
    const people = Array.from({ length: 500 }, (_, n) => `person${n}@${LOCAL}`);
    const aliases = [
      { name: 'list', targets: people },
      ...Array.from({ length: 1_000 }, (_, n) => ({ name: `to${n}`, targets: ['list'] })),
    ];
    let asked = 0;
    const world = worldOf(aliases, (domain) => {
      asked += 1;
      return domain === LOCAL;
    });
    assert.equal((await suspectsOf(aliases, world)).size, 0);
    assert.ok(asked < 20_000, String(asked));
  });
});
