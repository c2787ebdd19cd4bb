/** Root's command line on the database of the console's user, from the place where the programs are installed. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { installBuild } from '../../lib/launch/installation.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';

/** Any user who is not root. */
const UID = 65534;

describe("root's command line on somebody else's database", () => {
  let folder: string;
  let program: string;
  before(async () => {
    assert.equal(process.getuid?.(), 0, 'this test needs root, to act for another user');
    folder = mkdtempSync(join(tmpdir(), 'mailserver-owner-'));
    chmodSync(folder, 0o711);
    const { release } = await installBuild(PACKAGE_ROOT, join(folder, 'programs'), {
      durable: false,
    });
    program = join(release, 'dist/lib/console/database-cli.js');
    mkdirSync(join(folder, 'private'), { mode: 0o700 });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function stateFolder(name: string): string {
    const state = join(folder, name);
    mkdirSync(state, { mode: 0o700 });
    chownSync(state, UID, UID);
    return state;
  }

  /** In the folder that only root may enter. */
  function run(state: string, ...args: string[]): Promise<{ code: number; errors: string }> {
    return new Promise((resolve) => {
      const options = { env: { MAILSERVER_STATE: state }, cwd: join(folder, 'private') };
      const child = execFile(
        process.execPath,
        [program, ...args],
        options,
        (_error, _out, errors) => resolve({ code: child.exitCode ?? -1, errors }),
      );
    });
  }

  const foreignFiles = (state: string): string[] =>
    readdirSync(state, { recursive: true, encoding: 'utf8' }).filter(
      (name) => statSync(join(state, name)).uid !== UID,
    );

  it("leaves everything to its owner, and the export to root's eyes", async () => {
    const state = stateFolder('one');
    const exported = await run(state, 'export', 'export.jsonl');
    assert.equal(exported.code, 0, exported.errors);
    assert.deepEqual(foreignFiles(state), []);
    const file = join(folder, 'private/export.jsonl');
    const { uid, mode } = statSync(file);
    assert.deepEqual([uid, mode & 0o777], [0, 0o600]);
    assert.match(readFileSync(file, 'utf8'), /"end":true/);

    const other = stateFolder('two');
    const imported = await run(other, 'import', 'export.jsonl', '--replace');
    assert.equal(imported.code, 0, imported.errors);
    assert.match(imported.errors, /mail_settings: 0/);
    assert.deepEqual(foreignFiles(other), []);
  });

  it('says once what went wrong, and leaves no half file', async () => {
    const state = join(folder, 'one');
    rmSync(join(state, 'database/PG_VERSION'));
    const refused = await run(state, 'export', 'second.jsonl');
    assert.equal(refused.code, 1);
    assert.equal(refused.errors.match(/mailserver:/g)?.length, 1);
    assert.deepEqual(readdirSync(join(folder, 'private')), ['export.jsonl']);
  });
});
