import assert from 'node:assert/strict';
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { TableBuild, type BuiltTable } from '../../lib/privileged/apply/table-build.js';
import { closeBuild, tableFile, tableMap } from '../../lib/privileged/apply/tables.js';
import { runNative } from '../../lib/privileged/native.js';
import { pathsBelow, type Paths } from '../../lib/privileged/paths.js';

/** More than a pipe holds, and more than is waited for before the building begins. */
const MANY = 8_000;

describe('a table that is built while its lines come', () => {
  let root = '';
  let paths: Paths;
  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'mailserver-build-'));
    paths = pathsBelow(root);
    for (const folder of [paths.configDir, paths.ownConfigDir, paths.stateDir]) {
      await mkdir(folder, { recursive: true });
    }
  });
  beforeEach(async () => {
    for (const name of ['main.cf', 'master.cf', 'dynamicmaps.cf', 'dynamicmaps.cf.d']) {
      await cp(`/etc/postfix/${name}`, `${paths.configDir}/${name}`, { recursive: true });
    }
  });
  after(() => rm(root, { recursive: true, force: true }));

  function begin(lines: readonly string[], early = false): TableBuild {
    const build = new TableBuild('aliases', paths);
    if (early) build.begin();
    const pieces = 500;
    for (let at = 0; at < lines.length; at += pieces) {
      for (const line of lines.slice(at, at + pieces)) {
        const [key = '', value = ''] = line.trimEnd().split('\t');
        build.add(key, value);
      }
      build.flush();
    }
    return build;
  }

  async function answers(table: BuiltTable | null): Promise<string> {
    assert.ok(table);
    let text = '';
    const onStdout = (chunk: Buffer) => (text += chunk.toString('latin1'));
    await runNative('/usr/sbin/postmap', ['-s', tableMap(table.built)], { onStdout });
    return Buffer.from(text, 'latin1').toString();
  }

  it('has each of them, few or many, in whatever order they came', async () => {
    for (const count of [0, 1, 300, MANY]) {
      const lines = linesOf(count);
      for (const early of [false, true]) {
        const backwards = begin(lines.toReversed(), early);
        assert.equal(await answers(await backwards.finish(false)), lines.join(''));
        assert.equal(await answers(await begin(lines, early).finish(false)), lines.join(''));
      }
    }
  });

  it('keeps the order of bytes for names of any script', async () => {
    const names = ['é', 'ａ', '𐐨', 'z', '大'].map(
      (name) => `${name}@example.org\troot@a.example\n`,
    );
    const lines = [...linesOf(MANY), ...names];
    const built = await begin(lines).finish(false);
    assert.equal(await answers(built), lines.sort(byBytes).join(''));
  });

  it('is not there when the table in its place has the same', async () => {
    const lines = linesOf(MANY);
    const built = await begin(lines).finish(true);
    assert.ok(built);
    assert.equal(built.copy, undefined, 'there was none');
    await rename(built.built, tableFile(paths, 'aliases'));
    assert.equal(await begin(lines).finish(true), null);
    const other = await begin(lines.slice(1)).finish(true);
    assert.equal(await answers(other), lines.slice(1).join(''));
    assert.equal(
      await answers({ built: other?.copy ?? '' }),
      lines.join(''),
      'the one in its place',
    );
    await rm(tableFile(paths, 'aliases'));
  });

  it('is built all the same where the administrator has set the room for tables', async () => {
    await appendFile(`${paths.configDir}/main.cf`, 'lmdb_map_size = 33554432\n');
    const lines = linesOf(MANY);
    assert.equal(await answers(await begin(lines).finish(false)), lines.join(''));
  });

  it('is refused, and nobody waits, when postmap does not take them', async () => {
    await appendFile(`${paths.configDir}/main.cf`, 'smtputf8_enable = perhaps\n');
    const refused = (error: unknown) =>
      error instanceof HelperError &&
      error.key === 'helper.stage.table' &&
      /bad boolean configuration/.test(error.detail);
    await assert.rejects(begin(linesOf(MANY)).finish(false), refused);
    await begin(linesOf(MANY)).abandon();
  });

  it('is refused when a key comes twice', async () => {
    const lines = linesOf(MANY);
    const twice = [...lines, lines[7] ?? ''];
    await assert.rejects(begin(twice).finish(false), /helper.stage.table/);
  });

  it('leaves nothing when it is given up', async () => {
    await begin(linesOf(MANY)).abandon();
    await begin([]).abandon();
    await begin([], true).abandon();
    await begin(linesOf(300), true).abandon();
    const over = begin([]);
    await over.abandon();
    await closeBuild(paths);
    over.begin();
    await over.abandon();
    assert.deepEqual(await readdir(paths.ownConfigDir), []);
    assert.deepEqual(await postmapsIn(paths.ownConfigDir), []);
  });
});

/** The command lines of all `postmap`s that work there. */
async function postmapsIn(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const read = (pid: string) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
  const commands = await Promise.all(pids.map(read));
  return commands.filter((line) => line.includes('postmap') && line.includes(folder));
}

function linesOf(count: number): string[] {
  const lines = Array.from({ length: count }, (_, n) => {
    return `person.${n}@example.org\talice@example.org, target${n}@outside.example\n`;
  });
  return lines.sort(byBytes);
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
