/** Disks that are full or read-only, tools that hang, services that stay down: refused, told, and all as it was. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFile,
  mkdtemp,
  readFile,
  rm,
  rmdir,
  statfs,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { FaultRounds } from '../support/fault-round.js';
import { faultyTransport, SAVE_POINTS, type FaultPoint } from '../support/faults.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';

describe('a save', () => {
  let root: PostfixRoot;
  let rounds: FaultRounds;

  before(async () => {
    root = await startPostfixRoot();
    rounds = await FaultRounds.begin(root);
  });
  after(() => root.stop());

  const pointNamed = (name: string): FaultPoint =>
    SAVE_POINTS.find((point) => point.name === name) ?? assert.fail(name);
  const nothing = () => Promise.resolve();

  const failing: readonly (readonly [string, 'ENOSPC' | 'EIO' | 'EROFS' | 'EPERM', string])[] = [
    ['sync the new main.cf', 'ENOSPC', 'helper.journal.failed'],
    ['keep the old main.cf', 'EPERM', 'helper.journal.failed'],
    ['sync the folder of both', 'EIO', 'helper.journal.failed'],
    ['sync the journal', 'ENOSPC', 'helper.journal.failed'],
    ['open the journal', 'EROFS', 'helper.journal.failed'],
    ['sync the folder of the journal', 'EIO', 'helper.journal.failed'],
    ['put the new main.cf in place', 'EROFS', 'helper.swap.failed'],
    ['sync the folder of the new main.cf', 'EIO', 'helper.swap.failed'],
    ['sync the new state', 'ENOSPC', 'helper.journal.state'],
    ['put the new state in place', 'EIO', 'helper.journal.state'],
    ['sync the folder of the new state', 'EIO', 'helper.journal.state'],
  ];
  for (const [name, error, key] of failing) {
    it(`that cannot ${name} (${error}) is refused, and all is as it was`, async () => {
      const refusal = await rounds.playRefused(
        faultyTransport(root, pointNamed(name), { error }),
        nothing,
      );
      assert.equal(refusal.key, key);
      assert.match(refusal.detail, new RegExp(error));
    });
  }

  for (const name of ['forget the old main.cf', 'close the journal', 'write the audit log']) {
    it(`that cannot ${name} is done all the same, and cleaned up by the next one`, async () => {
      const outcome = await rounds.play(faultyTransport(root, pointNamed(name), { error: 'EIO' }));
      assert.equal(outcome, 'new');
    });
  }

  it('into a folder or over a file that not even root may change is refused', async () => {
    const { configDir } = root.places;
    for (const target of [configDir, `${configDir}/main.cf`]) {
      execFileSync('/usr/bin/chattr', ['+i', target]);
      const refusal = await rounds.playRefused(root.transport, async () => {
        execFileSync('/usr/bin/chattr', ['-i', target]);
        return nothing();
      });
      assert.equal(refusal.key, 'helper.journal.failed', target);
    }
  });

  it('into a configuration that is mounted read-only is refused', async () => {
    const { configDir } = root.places;
    await root.run('/usr/bin/mount', ['--bind', configDir, configDir]);
    await root.run('/usr/bin/mount', ['-o', 'remount,bind,ro', configDir]);
    const refusal = await rounds.playRefused(root.transport, async () => {
      await root.run('/usr/bin/umount', [configDir]);
    });
    assert.equal(refusal.key, 'helper.journal.failed');
  });

  // What the check leaves out is the installer alone, and that only while the queue has all its folders.
  it('beside a fault that only the native check sees is refused', async () => {
    const main = `${root.places.configDir}/main.cf`;
    const before = await readFile(main);
    const write = async (text: string | Buffer): Promise<void> => {
      await writeFile(main, text);
      const longAgo = Date.now() / 1000 - 60;
      await utimes(main, longAgo, longAgo);
    };
    await write(`${before.toString()}default_process_limit = abc\n`);
    const refusal = await rounds.playRefused(root.transport, () => write(before));
    assert.equal(refusal.key, 'helper.check.postfix');
  });

  it('goes through when the queue lacks a folder that Postfix makes at its next start', async () => {
    await rmdir(`${root.places.queueDir}/saved`);
    assert.equal(await rounds.play(root.transport), 'new');
  });

  describe('with a postfix(1) that', () => {
    let script: string;
    before(async () => {
      script = `${root.places.root}/postfix-with-a-temper`;
      await copyFile('/usr/sbin/postfix', `${root.places.root}/postfix-itself`);
      await writeFile(script, '', { mode: 0o755 });
      await temper('');
      const bound = await root.run('/usr/bin/mount', ['--bind', script, '/usr/sbin/postfix']);
      assert.equal(bound.code, 0, bound.stderr);
    });
    after(() => root.run('/usr/bin/umount', ['/usr/sbin/postfix']));

    /** `$command` is what it is told to do, `$main` the main.cf. */
    async function temper(lines: string): Promise<void> {
      const { places } = root;
      const text = [
        '#!/bin/sh',
        'for command do :; done',
        `main=${places.configDir}/main.cf`,
        `itself() { ${places.root}/postfix-itself -c ${places.configDir} "$1"; }`,
        lines,
        'itself "$command"',
      ].join('\n');
      await writeFile(script, text);
    }
    const calm = () => temper('');
    const nextName = () => rounds.nextName.replaceAll('.', '\\.');

    it('hangs in its check is refused, and the hanging check is ended', async () => {
      await temper('[ $command != check ] || sleep 1000');
      const refusal = await rounds.playRefused(root.transport, calm);
      assert.equal(refusal.key, 'helper.check.timeout');
    });

    it('finds a fault in its check is refused with its words', async () => {
      await temper('[ $command != check ] || { echo "the moon is full" >&2; exit 1; }');
      const refusal = await rounds.playRefused(root.transport, calm);
      assert.equal(refusal.key, 'helper.check.postfix');
      assert.match(refusal.detail, /the moon is full/);
    });

    it('refuses to reload the new configuration is put back', async () => {
      await temper(`! grep -q '${nextName()}' $main || [ $command != reload ] || exit 1`);
      const refusal = await rounds.playRefused(root.transport, calm);
      assert.equal(refusal.key, 'helper.activate.reload');
    });

    it('falls over the new configuration and does not come up with it is put back', async () => {
      await temper(
        `if grep -q '${nextName()}' $main; then [ $command != reload ] || itself abort; [ $command = check ] || exit 1; fi`,
      );
      const refusal = await rounds.playRefused(root.transport, calm);
      assert.equal(refusal.key, 'helper.activate.reload');
    });

    it('does not start with the new configuration is named, and its words are told', async () => {
      await root.postfix('stop');
      await temper(
        `[ $command != start ] || ! grep -q '${nextName()}' $main || { echo "no power" >&2; exit 1; }`,
      );
      const refusal = await rounds.playRefused(root.transport, async () => {
        await calm();
        await root.postfix('start');
      });
      assert.equal(refusal.key, 'helper.activate.start');
      assert.match(String(refusal.values['service']), /^postfix -c .* start$/);
      assert.match(refusal.detail, /no power/);
    });

    it('says it has reloaded and has not is found out by what Postfix says on its port', async () => {
      await temper('[ $command != reload ] || exit 0');
      const refusal = await rounds.playRefused(root.transport, calm);
      assert.equal(refusal.key, 'helper.proof.banner');
    });
  });
});

describe('a save on a small disk', () => {
  let disk: string;
  let root: PostfixRoot;
  let rounds: FaultRounds;

  before(async () => {
    disk = await mkdtemp(path.join(tmpdir(), 'mailserver-disk-'));
    execFileSync('/usr/bin/mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=0711', 'tmpfs', disk]);
    root = await startPostfixRoot({ below: disk });
    rounds = await FaultRounds.begin(root);
  });
  after(async () => {
    await root.stop();
    execFileSync('/usr/bin/umount', [disk]);
    await rm(disk, { recursive: true });
  });

  /** Leaves so many bytes free. */
  async function fill(free: number): Promise<void> {
    const { bavail, bsize } = await statfs(disk);
    await writeFile(`${disk}/filler`, Buffer.alloc(Math.max(0, bavail * bsize - free)));
  }
  const empty = () => rm(`${disk}/filler`, { force: true });

  it('that is nearly full is refused before anything is touched', async () => {
    await fill(2 * 1024 * 1024);
    const refusal = await rounds.playRefused(root.transport, empty);
    assert.equal(refusal.key, 'helper.space.full');
  });

  it('that is full to the last byte is refused, and goes through when there is room again', async () => {
    await fill(0);
    const refusal = await rounds.playRefused(root.transport, empty);
    // The audit log may find room in its last block; then it is the stage that does not.
    assert.ok(['helper.run.audit', 'helper.space.full'].includes(refusal.key), refusal.key);
  });
});
