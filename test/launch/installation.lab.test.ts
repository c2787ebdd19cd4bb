import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LaunchError } from '../../lib/launch/arguments.js';
import { installBuild } from '../../lib/launch/installation.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';

describe('the installation of a build', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailserver-installation-'));
    execFileSync('/usr/bin/mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]);
  });
  after(async () => {
    execFileSync('/usr/bin/umount', [folder]);
    await rm(folder, { recursive: true });
  });

  it('says that there is no room for it, in few words, and leaves nothing of it behind', async () => {
    const releases = join(folder, 'releases');
    await mkdir(join(releases, 'former'), { recursive: true });
    await assert.rejects(
      installBuild(PACKAGE_ROOT, folder, { durable: false }),
      (error) => error instanceof LaunchError && /too little room/.test(error.message),
    );
    assert.deepEqual(await readdir(releases), ['former']);
  });
});
