import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathsBelow, type Paths } from '../../../lib/privileged/paths.js';
import { openTrialFolder } from '../../../lib/privileged/trial/instance.js';

describe('the folder of a trial', () => {
  let root: string;
  let paths: Paths;
  let trials: string;
  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'mailserver-trial-'));
    paths = pathsBelow(root);
    trials = `${paths.stateDir}/trials`;
    await mkdir(paths.configDir, { recursive: true });
    await mkdir(trials, { recursive: true });
    for (const name of ['main.cf', 'master.cf']) await writeFile(`${paths.configDir}/${name}`, '');
  });
  after(() => rm(root, { recursive: true }));

  it('takes the place of what a killed one left, and leaves another alone', async () => {
    for (const name of ['old', 'busy']) await mkdir(`${trials}/${name}`);
    await utimes(`${trials}/old`, 1, 1);
    const folder = await openTrialFolder(paths);
    assert.deepEqual((await readdir(trials)).sort(), ['busy', path.basename(folder)].sort());
  });

  it('comes although another one goes while we look', async () => {
    // A name in the list with nothing behind it, which is what such a folder looks like.
    await symlink(`${trials}/ended`, `${trials}/going`);
    await openTrialFolder(paths);
  });
});
