import assert from 'node:assert/strict';
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import {
  closeJournal,
  openJournal,
  putBack,
  readJournal,
  swap,
  sweepFolders,
  type Replacement,
} from '../../lib/privileged/apply/journal.js';
import { OWN_FILE } from '../../lib/privileged/files.js';
import { pathsBelow, type Paths } from '../../lib/privileged/paths.js';

const FOLLOW = { wasRunning: true, activation: 'reload' } as const;

describe('a swap', () => {
  let root: string;
  let paths: Paths;
  let replacements: Replacement[];
  const file = (name: string) => `${paths.configDir}/${name}`;

  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'mailserver-journal-'));
    paths = pathsBelow(root);
    await mkdir(paths.stateDir, { recursive: true, mode: 0o700 });
    await mkdir(`${paths.configDir}/built`, { recursive: true });
    await writeFile(file('main.cf'), 'old main\n');
    await chmod(file('main.cf'), 0o640);
    await writeFile(file('table.lmdb'), 'old table');
    await writeFile(file('gone.cf'), 'old gone\n');
    await writeFile(file('built/table.lmdb'), 'new table');
    replacements = [
      {
        file: file('main.cf'),
        content: Buffer.from('new main\n\xe9', 'latin1'),
        status: null,
        backdated: true,
      },
      {
        file: file('table.lmdb'),
        content: { built: file('built/table.lmdb') },
        status: OWN_FILE,
        table: true,
      },
      { file: file('gone.cf'), content: null, status: OWN_FILE },
      { file: file('own.d/new.conf'), content: 'new file\n', status: OWN_FILE },
    ];
  });
  afterEach(() => rm(root, { recursive: true }));

  const contents = async (): Promise<Record<string, string>> => {
    const found: Record<string, string> = {};
    for (const name of await readdir(paths.configDir, { recursive: true })) {
      if ((await stat(file(name))).isFile()) found[name] = await readFile(file(name), 'latin1');
    }
    return found;
  };
  const OLD = { 'gone.cf': 'old gone\n', 'main.cf': 'old main\n', 'table.lmdb': 'old table' };
  const NEW = {
    'main.cf': 'new main\n\xe9',
    'own.d/new.conf': 'new file\n',
    'table.lmdb': 'new table',
  };

  it('replaces, creates and removes, byte for byte, and leaves nothing beside', async () => {
    const journal = await openJournal(paths, replacements, FOLLOW);
    await swap(replacements);
    await closeJournal(paths, journal);
    assert.deepEqual(await contents(), NEW);
    assert.deepEqual(await readdir(paths.stateDir), []);
    assert.equal((await stat(file('main.cf'))).mode & 0o777, 0o640);
    assert.equal((await stat(file('own.d'))).mode & 0o777, 0o755);
    const age = Date.now() - (await stat(file('main.cf'))).mtimeMs;
    assert.ok(age > 5_000, 'Postfix waits two seconds on a fresh main.cf');
  });

  it('can be put back after any number of its renames, twice over', async () => {
    for (let renames = 0; renames <= replacements.length; renames += 1) {
      await writeFile(file('built/table.lmdb'), 'new table');
      await openJournal(paths, replacements, FOLLOW);
      await swap(replacements.slice(0, renames));
      const journal = (await readJournal(paths)) ?? assert.fail('no journal');
      await putBack(paths, journal);
      await putBack(paths, journal);
      await closeJournal(paths, journal);
      assert.deepEqual(await contents(), OLD, `${renames} renames`);
    }
  });

  it('does not undo what somebody edits after it was put back', async () => {
    const journal = await openJournal(paths, replacements, FOLLOW);
    await swap(replacements);
    await putBack(paths, journal);
    await writeFile(`${paths.configDir}/main.new`, 'by hand\n');
    await rename(`${paths.configDir}/main.new`, file('main.cf'));
    await putBack(paths, journal);
    assert.equal(await readFile(file('main.cf'), 'utf8'), 'by hand\n');
  });

  it('hides no table from daemons that still have it open: the old one is left without a name', async () => {
    const { ino } = await stat(file('table.lmdb'));
    await openJournal(paths, replacements, FOLLOW);
    await swap(replacements);
    const left = await Promise.all(
      (await readdir(paths.configDir)).map(async (name) => (await stat(file(name))).ino),
    );
    assert.equal(left.includes(ino), false);
  });

  it('changes nothing and leaves nothing when it cannot be made ready', async () => {
    await symlink('/dev/null', file('linked.cf'));
    const impossible: Replacement[] = [
      { file: file('linked.cf'), content: 'x', status: null },
      { file: file('built/none'), content: { built: file('built/missing') }, status: OWN_FILE },
    ];
    for (const last of impossible) {
      await writeFile(file('built/table.lmdb'), 'new table');
      await assert.rejects(
        openJournal(paths, [...replacements, last], FOLLOW),
        (error) => error instanceof HelperError && error.stage === 'journal' && error.restored,
      );
      const { 'linked.cf': linked, ...rest } = await contents();
      assert.equal(linked, undefined);
      assert.deepEqual(rest, OLD);
      assert.deepEqual(await readdir(paths.stateDir), []);
    }
  });

  it('is not told as restored when it fails half way', async () => {
    const journal = await openJournal(paths, replacements, FOLLOW);
    await rm(file('.table.lmdb.mailserver-new'));
    await assert.rejects(
      swap(replacements),
      (error) => error instanceof HelperError && error.stage === 'swap' && !error.restored,
    );
    await putBack(paths, journal);
    await closeJournal(paths, journal);
    assert.deepEqual(await contents(), OLD);
  });

  it('leaves no old copy behind when a kill comes while it is closed', async () => {
    const journal = await openJournal(paths, replacements, FOLLOW);
    await swap(replacements);
    // What a kill leaves: the journal is still there as long as one old copy is.
    await link(file('main.cf'), file('.other.cf.mailserver-old'));
    await closeJournal(paths, journal);
    assert.equal(await readJournal(paths), null);
    await sweepFolders([paths.configDir, `${root}/not-there`]);
    assert.deepEqual(await contents(), NEW);
  });
});
