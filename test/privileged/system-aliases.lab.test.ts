/** The system's own aliases file, read into the table that Postfix looks into: whole, or not at all. */
import assert from 'node:assert/strict';
import {
  appendFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { isUnread } from '../../lib/privileged/actions/system-aliases.js';
import { readSystemAliases } from '../../lib/privileged/actions/system-aliases-read.js';
import { runNative } from '../../lib/privileged/native.js';
import { pathsBelow, type Paths } from '../../lib/privileged/paths.js';

const OLD = 'postmaster: root\nroot: alice\n';

for (const type of ['lmdb', 'hash']) {
  describe(`the system’s own aliases in a ${type} table`, () => {
    let root = '';
    let paths: Paths;
    let changed: number;
    before(async () => {
      root = await mkdtemp(path.join(tmpdir(), 'mailserver-aliases-'));
      paths = pathsBelow(root);
      await mkdir(paths.configDir, { recursive: true });
      for (const name of ['main.cf', 'master.cf', 'dynamicmaps.cf', 'dynamicmaps.cf.d']) {
        await cp(`/etc/postfix/${name}`, `${paths.configDir}/${name}`, { recursive: true });
      }
      const table = `${type}:${paths.aliases}`;
      const lines = `\nalias_database = ${table}\nalias_maps = ${table}\n`;
      // Said twice, of which Postfix' tools warn.
      await appendFile(`${paths.configDir}/main.cf`, lines);
      const then = Date.now() / 1000 - 60;
      await utimes(`${paths.configDir}/main.cf`, then, then);
    });
    after(() => rm(root, { recursive: true, force: true }));
    beforeEach(async () => {
      changed = 0;
      await writeFile(paths.aliases, OLD);
      await read();
      changed = 0;
    });

    const read = () =>
      readSystemAliases(paths, () => {
        changed += 1;
        return Promise.resolve();
      });
    const answer = async (name: string): Promise<string> => {
      const table = `${type}:${paths.aliases}`;
      const args = ['-c', paths.configDir, '-q', name, table];
      return (await runNative('/usr/sbin/postalias', args)).stdout.trim();
    };
    const tableFile = () => paths.aliases + (type === 'hash' ? '.db' : '.lmdb');
    const files = async () => (await readdir(path.dirname(paths.aliases))).sort();

    it('are known once it was read, and nothing is left beside them', async () => {
      const there = await files();
      await mkdir(`${paths.aliases}.mailserver-killed/aliases`, { recursive: true });
      await writeFile(paths.aliases, `${OLD}"Front Desk": bob,\n  carol\nSALES: bob\n`);
      assert.deepEqual(await read(), { count: 4 });
      assert.equal(await answer('front desk'), 'bob, carol');
      assert.equal(await answer('sales'), 'bob');
      assert.equal(await isUnread(paths.aliases), false);
      assert.equal((await stat(tableFile())).mode & 0o777, 0o644);
      assert.deepEqual(await files(), there);
      assert.equal(changed, 1);
    });

    it('stay as they were while a line is none, which is named, or a name stands there twice', async () => {
      const there = await files();
      const { ino } = await stat(tableFile());
      const wrong = {
        'helper.systemAliases.line': `${OLD}this is no alias\nsales: bob\n`,
        'helper.systemAliases.refused': `${OLD}root: bob\n`,
      };
      for (const [key, text] of Object.entries(wrong)) {
        await writeFile(paths.aliases, text);
        await assert.rejects(read(), (error) => {
          assert.ok(error instanceof HelperError);
          assert.equal(error.key, key);
          assert.deepEqual(error.values, key.endsWith('line') ? { line: 3 } : {});
          assert.ok(error.detail.includes(paths.aliases) && !error.detail.includes('.mailserver'));
          return true;
        });
      }
      assert.equal(await answer('root'), 'alice');
      assert.equal((await stat(tableFile())).ino, ino);
      assert.deepEqual(await files(), there);
      assert.equal(changed, 0);
    });
  });
}
