/**
 * The whole table of aliases as the helper builds it on a private root: from the first entry that crosses to the answer,
 * and of that how long the entries took to cross; beside `postmap` on the same table in the same run.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ApplyParams, ApplyResult, ContentsItem } from '../lib/privileged/protocol.js';
import { startPostfixRoot, type PostfixRoot } from '../test/support/postfix-root.js';
import { median, timed } from './measure.js';

const ROUNDS = 5;
/** Entries of one item. */
const AT_ONCE = 2_000;
const ALIASES = { aliases: { active: true, catchAll: false } };

export interface Building {
  /** Milliseconds, each the median of some rounds. */
  readonly whole: number;
  /** Until the helper had taken the last entry. */
  readonly stream: number;
  readonly postmap: number;
  /** An apply of one alias on the same table: what any save takes besides. */
  readonly one: number;
}

export async function measureBuilding(size: number): Promise<Building> {
  const root = await startPostfixRoot();
  const scratch = await mkdtemp(join(tmpdir(), 'mailserver-bench-'));
  try {
    return await measureOn(root, scratch, size);
  } finally {
    await root.stop();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function measureOn(root: PostfixRoot, scratch: string, size: number): Promise<Building> {
  const databaseId = randomUUID();
  let change = 0;
  const apply = async (params: Partial<ApplyParams>, input: Iterable<ContentsItem> = []) => {
    change += 1;
    const all = { databaseId, change, dryRun: false, sections: ALIASES, ...params };
    const options = { actor: 'bench', ...(params.contents ? { input } : {}) };
    return (await root.transport.request('apply', all, options)) as ApplyResult;
  };
  await apply({ sections: { domains: { names: ['example.org'] } } });
  // The first one changes main.cf too.
  await apply(
    { contents: { aliases: { base: null } } },
    items(1, () => undefined),
  );
  const times: Record<keyof Building, number[]> = { whole: [], stream: [], postmap: [], one: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    // Another table each time: one that is there already is not built again.
    const count = size + round;
    const begun = performance.now();
    let streamed = 0;
    const input = items(count, () => (streamed = performance.now() - begun));
    const { contents } = await apply({ contents: { aliases: { base: null } } }, input);
    times.whole.push(performance.now() - begun);
    times.stream.push(streamed);
    const table = join(scratch, `table-${round}`);
    await writeFile(table, textOf(count));
    const bare = () => promisify(execFile)('/usr/sbin/postmap', [`lmdb:${table}`]);
    times.postmap.push(await timed(bare));
    const base = contents?.['aliases'] ?? null;
    const entry = [`one-more-${round}@example.org`, ['alice']] as const;
    const one = () =>
      apply({ contents: { aliases: { base } } }, [{ section: 'aliases', entries: [entry] }]);
    times.one.push(await timed(one));
  }
  const { whole, stream, postmap, one } = times;
  return {
    ...{ whole: median(whole), stream: median(stream) },
    ...{ postmap: median(postmap), one: median(one) },
  };
}

function nameOf(index: number): string {
  return `person.${index}@example.org`;
}

function* items(count: number, taken: () => void): Iterable<ContentsItem> {
  for (let first = 1; first <= count; first += AT_ONCE) {
    const length = Math.min(AT_ONCE, count - first + 1);
    const numbers = Array.from({ length }, (_, index) => first + index);
    const entries = numbers.map(
      (n) => [nameOf(n), ['alice', `target${n}@outside.example`]] as const,
    );
    yield { section: 'aliases', entries };
  }
  taken();
}

function textOf(count: number): string {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  const lines = numbers.map((n) => `${nameOf(n)}\talice@example.org, target${n}@outside.example\n`);
  return lines.join('');
}
