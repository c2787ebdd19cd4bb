import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { holdsExactly } from '../../lib/privileged/apply/table-pages.js';
import { runNative, type NativeOptions } from '../../lib/privileged/native.js';

type Entry = readonly [key: string, value: string];

describe('the pages of a table', () => {
  let folder = '';
  let made = 0;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'mailserver-pages-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function postmap(args: readonly string[], options: NativeOptions = {}): Promise<string> {
    const answer = await runNative('/usr/sbin/postmap', args, options);
    assert.deepEqual([answer.code, answer.stderr], [0, '']);
    return answer.stdout;
  }

  async function build(entries: readonly Entry[]): Promise<string> {
    const source = path.join(folder, `table-${(made += 1)}`);
    await writeFile(source, textOf(entries));
    await postmap([`lmdb:${source}`]);
    return source;
  }

  it('hold what was built, whatever the size', async () => {
    for (const count of [0, 1, 2, 60, 3_000, 40_000]) {
      const entries = many(count);
      const table = await build(entries);
      const [file, lines] = [`${table}.lmdb`, sorted(entries)];
      assert.equal(await holdsExactly(file, lines), true, `${count} entries`);
      assert.equal(await holdsExactly(file, lines, count), true, `${count} entries, counted`);
      assert.equal(await holdsExactly(file, lines, count + 1), false, 'of one more');
    }
  });

  it('hold keys of any script, and values with pages of their own', async () => {
    const targets = Array.from({ length: 500 }, (_, n) => `someone.${n}@outside.example`);
    const entries: Entry[] = [
      ...many(300),
      ['müller@example.org', 'alice@example.org'],
      ['大@example.org', 'bob@example.org'],
      ['𐐨@example.org', 'bob@example.org'],
      ['everybody@example.org', targets.join(', ')],
    ];
    const table = await build(entries);
    assert.equal(await holdsExactly(`${table}.lmdb`, sorted(entries)), true);
  });

  it('hold what was changed in place since, as Postfix reads it', async () => {
    const table = await build(many(3_000));
    const gone = many(3_000).filter((_, index) => index % 7 === 0);
    await postmap(['-d', '-', `lmdb:${table}`], {
      input: gone.map(([key]) => `${key}\n`).join(''),
    });
    await postmap(['-i', `lmdb:${table}`], { input: 'new@example.org\tbob@example.org\n' });
    const answered = await postmap(['-s', `lmdb:${table}`]);
    assert.equal(await holdsExactly(`${table}.lmdb`, Buffer.from(answered)), true);
    assert.equal(await holdsExactly(`${table}.lmdb`, sorted(many(3_000))), false);
  });

  it('differ by one entry more, less or other', async () => {
    const entries = many(500);
    const table = await build(entries);
    const others: (readonly Entry[])[] = [
      [],
      entries.slice(1),
      entries.slice(0, -1),
      [...entries, ['zz@example.org', 'bob@example.org']],
      entries.map(([key, value], index) => [key, index === 250 ? `${value}x` : value] as const),
      entries.map(([key, value], index) => [index === 250 ? `${key}x` : key, value] as const),
    ];
    for (const other of others) {
      assert.equal(await holdsExactly(`${table}.lmdb`, sorted(other)), false);
    }
  });

  it('are doubted when they are damaged, cut off, or no pages at all', async () => {
    const entries = many(3_000);
    const whole = await build(entries);
    const bytes = await readFile(`${whole}.lmdb`);
    const file = path.join(folder, 'damaged');
    // A search follows the keys of the upper pages: one that is off hides entries that are there.
    const branch = pageOf(bytes, 0x01);
    const key = branch + bytes.readUInt16LE(branch + 16 + 2) + 8;
    for (const byte of [0x01, 0x7f]) {
      const damaged = Buffer.from(bytes);
      damaged[key] = byte;
      await writeFile(file, damaged);
      assert.equal(await holdsExactly(file, sorted(entries)), false);
    }
    await writeFile(file, bytes);
    await truncate(file, bytes.length / 2);
    assert.equal(await holdsExactly(file, sorted(entries)), false);
    await writeFile(file, Buffer.alloc(20_000, 'a'));
    assert.equal(await holdsExactly(file, sorted(entries)), false);
    await writeFile(file, '');
    assert.equal(await holdsExactly(file, sorted(entries)), false);
  });
});

function many(count: number): Entry[] {
  return Array.from({ length: count }, (_, n) => {
    return [`person.${n}@example.org`, `alice@example.org, t${n}@outside.example`];
  });
}

function textOf(entries: readonly Entry[]): string {
  return entries.map(([key, value]) => `${key}\t${value}\n`).join('');
}

function sorted(entries: readonly Entry[]): Buffer {
  const lines = entries.map((entry) => Buffer.from(textOf([entry])));
  return Buffer.concat(lines.sort((a, b) => Buffer.compare(a, b)));
}

/** Where the first page of a kind begins. */
function pageOf(bytes: Buffer, kind: number): number {
  for (let page = 2 * 4096; page < bytes.length; page += 4096) {
    if (bytes.readUInt16LE(page + 10) === kind) return page;
  }
  throw new Error('no such page');
}
