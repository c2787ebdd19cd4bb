import assert from 'node:assert/strict';
import { appendFile, cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { TableBuild } from '../../lib/privileged/apply/table-build.js';
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

  function begin(lines: readonly string[], pieces = 500): TableBuild {
    const build = new TableBuild('aliases', paths);
    for (let at = 0; at < lines.length; at += pieces) {
      for (const line of lines.slice(at, at + pieces)) {
        const [key = '', value = ''] = line.trimEnd().split('\t');
        build.add(key, value);
      }
      build.flush();
    }
    return build;
  }

  async function answers(file: string | null): Promise<string> {
    assert.ok(file);
    let text = '';
    const onStdout = (chunk: Buffer) => (text += chunk.toString('latin1'));
    await runNative('/usr/sbin/postmap', ['-s', tableMap(file)], { onStdout });
    return Buffer.from(text, 'latin1').toString();
  }

  it('has each of them, few or many, in whatever order they came', async () => {
    for (const count of [0, 1, 300, MANY]) {
      const lines = linesOf(count);
      assert.equal(await answers(await begin(lines.toReversed()).finish(false)), lines.join(''));
      assert.equal(await answers(await begin(lines).finish(false)), lines.join(''));
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
    await rename(built, tableFile(paths, 'aliases'));
    assert.equal(await begin(lines).finish(true), null);
    assert.ok(await begin(lines.slice(1)).finish(true));
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
    await closeBuild(paths);
  });
});

function linesOf(count: number): string[] {
  const lines = Array.from({ length: count }, (_, n) => {
    return `person.${n}@example.org\talice@example.org, target${n}@outside.example\n`;
  });
  return lines.sort(byBytes);
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
