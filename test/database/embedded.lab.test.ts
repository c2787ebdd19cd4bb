import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../../lib/database/open.js';
import { startPGlite } from '../../lib/database/pglite.js';
import { embeddedPool } from '../../lib/database/pool.js';
import { startChild } from '../support/child.js';
import { silentLog } from '../support/log.js';

describe('the embedded database', () => {
  let root: string;
  /** A state folder with a closed database, to copy from. */
  let template: string;

  before(async () => {
    root = mkdtempSync(join(tmpdir(), 'mailserver-embedded-'));
    template = join(root, 'template');
    const { close } = await openDatabase({ stateDir: template, log: silentLog });
    await close();
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  function copy(name: string): string {
    const stateDir = join(root, name);
    cpSync(template, stateDir, { recursive: true });
    return stateDir;
  }

  it('syncs exactly once per commit, and not for reading', async () => {
    const { pglite, fileSystem } = startPGlite(join(copy('synced'), 'database'));
    await pglite.waitReady;
    const db = embeddedPool(pglite, silentLog);
    await db.raw('create table numbers (number int)');
    for (let number = 0; number < 10; number += 1) {
      const earlier = fileSystem.syncs;
      await db('numbers').insert({ number });
      assert.equal(fileSystem.syncs, earlier + 1);
    }
    const earlier = fileSystem.syncs;
    await db.transaction(async (trx) => {
      for (let number = 0; number < 10; number += 1) await trx('numbers').insert({ number });
    });
    assert.equal(fileSystem.syncs, earlier + 1);
    await db('numbers').select();
    assert.equal(fileSystem.syncs, earlier + 1);
    await db.destroy();
    await pglite.close();
  });

  it('ends a transaction that a lost connection has left open', async () => {
    const { pglite } = startPGlite(join(copy('left-open'), 'database'));
    await pglite.waitReady;
    await pglite.exec('create table numbers (number int)');
    await pglite.exec('begin');
    await pglite.exec('insert into numbers values (1)');
    const db = embeddedPool(pglite, silentLog);
    assert.deepEqual(await db('numbers').select(), []);
    await db.destroy();
    await pglite.close();
  });

  it('keeps everybody else out of its folder', async () => {
    const stateDir = join(root, 'private');
    const umask = process.umask(0);
    try {
      const { close } = await openDatabase({ stateDir, log: silentLog });
      await close();
    } finally {
      process.umask(umask);
    }
    assert.equal(statSync(join(stateDir, 'database')).mode & 0o777, 0o700);
  });

  it('begins anew when a kill had left a half made database', async () => {
    const stateDir = join(root, 'half-made');
    mkdirSync(join(stateDir, 'database.new'), { recursive: true });
    writeFileSync(join(stateDir, 'database.new', 'PG_VERSION'), '18\n');
    const { db, close } = await openDatabase({ stateDir, log: silentLog });
    await db.raw('select 1');
    await close();
    assert.deepEqual(readdirSync(stateDir).sort(), ['database', 'database.lock']);
  });

  it('is refused to a second process, and free again after kill -9', async () => {
    const stateDir = copy('locked');
    const holder = startChild('database-process.js', ['hold', stateDir]);
    await holder.saying('ready');
    await assert.rejects(openDatabase({ stateDir, log: silentLog }), { fault: 'locked' });
    holder.process.kill('SIGKILL');
    await holder.ended;
    const { db, close } = await openDatabase({ stateDir, log: silentLog });
    assert.deepEqual(await db('acknowledged').select(), []);
    await close();
  });

  it('loses no acknowledged commit in 20 rounds of kill -9', async () => {
    const stateDir = copy('killed');
    let acknowledged = 0;
    for (let round = 0; round < 20; round += 1) {
      const child = startChild('database-process.js', ['commit', stateDir]);
      await child.saying('ready');
      await sleep(Math.random() * 250);
      child.process.kill('SIGKILL');
      await child.ended;
      acknowledged = Math.max(acknowledged, ...child.lines().slice(1).map(Number));
    }
    assert.ok(acknowledged > 0, 'nothing was committed in any round');
    const { db, close } = await openDatabase({ stateDir, log: silentLog });
    const rows = await db('acknowledged')
      .orderBy('number')
      .select<{ number: number; other: number }[]>();
    await close();
    assert.ok(rows.length >= acknowledged, `${acknowledged} acknowledged, ${rows.length} there`);
    rows.forEach(({ number, other }, index) => {
      assert.equal(number, index + 1);
      assert.equal(other, number, 'half a transaction');
    });
  });

  it('ends its process when the disk is full, and opens again with everything acknowledged', async () => {
    const stateDir = join(root, 'small');
    mkdirSync(stateDir);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m', 'tmpfs', stateDir]);
    try {
      cpSync(template, stateDir, { recursive: true });
      writeFileSync(join(stateDir, 'ballast'), Buffer.alloc(24 * 1024 * 1024));
      const child = startChild('database-process.js', ['fill', stateDir]);
      const { code, signal } = await child.ended;
      assert.deepEqual({ code, signal }, { code: 1, signal: null });
      assert.match(child.errors(), /is the disk full/);
      const { bsize, bavail } = statfsSync(stateDir);
      writeFileSync(join(stateDir, 'rest'), Buffer.alloc(bsize * bavail));
      await assert.rejects(openDatabase({ stateDir, log: silentLog }), { fault: 'no-space' });

      rmSync(join(stateDir, 'rest'));
      rmSync(join(stateDir, 'ballast'));
      const { db, close } = await openDatabase({ stateDir, log: silentLog });
      const numbers = await db('acknowledged').orderBy('number').pluck<number[]>('number');
      await close();
      const acknowledged = child.lines().slice(1).map(Number);
      assert.ok(acknowledged.length > 0);
      assert.deepEqual(numbers.slice(0, acknowledged.length), acknowledged);
    } finally {
      execFileSync('umount', ['--lazy', stateDir]);
    }
  });

  it('says so when it belongs to another user, as after a restore by root', async () => {
    const NOBODY = 65_534;
    const stateDir = copy('foreign');
    chmodSync(root, 0o755);
    rmSync(join(stateDir, 'database.lock'), { recursive: true });
    chownSync(stateDir, NOBODY, NOBODY);
    process.seteuid?.(NOBODY);
    try {
      await assert.rejects(openDatabase({ stateDir, log: silentLog }), { fault: 'foreign-owner' });
    } finally {
      process.seteuid?.(0);
    }
    execFileSync('chown', ['-R', `--reference=${stateDir}`, join(stateDir, 'database')]);
    const { close } = await openDatabase({ stateDir, log: silentLog });
    await close();
  });

  it('has its process killed when that is stuck', async () => {
    const child = startChild('database-process.js', ['block', copy('stuck')]);
    await child.saying('ready');
    assert.equal((await child.ended).signal, 'SIGKILL');
    assert.match(child.errors(), /hangs/);
  });

  describe('that is damaged', () => {
    const faults: Readonly<Record<string, (folder: string) => void>> = {
      'has garbage for its control file': (folder) =>
        writeFileSync(join(folder, 'global/pg_control'), Buffer.alloc(8192, 7)),
      'has a control file cut short': (folder) =>
        truncateSync(join(folder, 'global/pg_control'), 10),
      'has lost its control file': (folder) => rmSync(join(folder, 'global/pg_control')),
      'has lost its journal': (folder) => walFiles(folder).forEach((file) => rmSync(file)),
      'has garbage for its journal': (folder) =>
        walFiles(folder).forEach((file) =>
          writeFileSync(file, Buffer.alloc(statSync(file).size, 9)),
        ),
      'has lost its tables': (folder) => rmSync(join(folder, 'base'), { recursive: true }),
      'has garbage for its catalogue': (folder) => {
        for (const database of readdirSync(join(folder, 'base'))) {
          writeFileSync(join(folder, 'base', database, '1259'), Buffer.alloc(65_536, 5));
        }
      },
      'has lost its version file': (folder) => rmSync(join(folder, 'PG_VERSION')),
      'has somebody else’s files in its place': (folder) => {
        rmSync(folder, { recursive: true });
        mkdirSync(folder);
        writeFileSync(join(folder, 'holiday.jpg'), 'x');
      },
    };

    for (const [what, harm] of Object.entries(faults)) {
      it(`and ${what} is not opened, says what to do, and is not overwritten`, async () => {
        const stateDir = copy(what.replaceAll(/[^a-z]/g, '-'));
        const folder = join(stateDir, 'database');
        harm(folder);
        const found = digests(folder);
        await assert.rejects(openDatabase({ stateDir, log: silentLog }), {
          fault: 'damaged',
          message: /import the last export/,
        });
        assert.deepEqual(digests(folder), found);
        // A second try says the same: the lock is free again.
        await assert.rejects(openDatabase({ stateDir, log: silentLog }), { fault: 'damaged' });
      });
    }

    it('and of another version says how to move it', async () => {
      const stateDir = copy('other-version');
      writeFileSync(join(stateDir, 'database/PG_VERSION'), '17\n');
      await assert.rejects(openDatabase({ stateDir, log: silentLog }), {
        fault: 'foreign-version',
        message: /PostgreSQL 17.*Export it/s,
      });
    });
  });
});

function walFiles(folder: string): string[] {
  return readdirSync(join(folder, 'pg_wal'))
    .filter((name) => /^[0-9A-F]{24}$/.test(name))
    .map((name) => join(folder, 'pg_wal', name));
}

/** Of every table; the server may note in control file and journal that it tried to start. */
function digests(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    files
      .filter((entry) => entry.isFile() && /^\d+$|\.jpg$/.test(entry.name))
      .filter((entry) => !entry.parentPath.includes('/pg_'))
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file, createHash('sha256').update(readFileSync(file)).digest('hex')]),
  );
}
