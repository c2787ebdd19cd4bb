/** What a request finds that another one left half way, on a real Postfix. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { openJournal, swap, type Follow } from '../../lib/privileged/apply/journal.js';
import { takeLock } from '../../lib/privileged/lock.js';
import { pathsBelow, type Paths } from '../../lib/privileged/paths.js';
import { masterPid } from '../../lib/privileged/services/processes.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { Saver } from '../support/saver.js';

const ACTOR = { actor: 'test' };
const RUNNING: Follow = { wasRunning: true, activation: 'reload' };
const DOWN: Follow = { wasRunning: false, activation: 'reload' };

describe('a save that was cut off', () => {
  let root: PostfixRoot;
  let paths: Paths;
  let mainCf: string;
  before(async () => {
    root = await startPostfixRoot();
    paths = pathsBelow(root.places.root);
    mainCf = `${paths.configDir}/main.cf`;
    await new Saver(root.helper).saveBase({ mailServerName: 'ours.example' });
  });
  after(() => root.stop());

  const textWith = async (name: string): Promise<string> =>
    (await readFile(mainCf, 'utf8')).replace(/^myhostname = .*$/m, `myhostname = ${name}`);

  /** As a helper does that is killed after its renames. */
  async function cutOff(name: string, follow: Follow) {
    const content = await textWith(name);
    const replacements = [{ file: mainCf, content, status: null, backdated: true }];
    const journal = await openJournal(paths, replacements, follow);
    await swap(replacements);
    return journal;
  }

  const drift = () => root.helper.call('drift', {}, ACTOR);

  it('is put back, not shown as a hand edit', async () => {
    await cutOff('half.example', RUNNING);
    assert.deepEqual(await drift(), []);
    assert.match(await readFile(mainCf, 'utf8'), /^myhostname = ours\.example$/m);
  });

  it('is not taken for a hand edit that is to stay', async () => {
    await writeFile(mainCf, await textWith('half.example'));
    const [entry] = await drift();
    assert.equal(entry?.name, 'myhostname');
    await writeFile(mainCf, await textWith('ours.example'));
    await cutOff('half.example', RUNNING);
    const edits = { myhostname: entry.digest };
    await assert.rejects(
      root.helper.call('keep', { edits }, ACTOR),
      (error) => error instanceof HelperError && error.key === 'helper.drift.meanwhile',
    );
  });

  it('is not looked at before it is over', async () => {
    const lock = await takeLock(`${paths.stateDir}/lock`);
    await writeFile(mainCf, await textWith('half.example'));
    const seen = drift();
    // Time enough for one that does not wait.
    await Promise.race([seen, new Promise((resolve) => setTimeout(resolve, 3_000))]);
    await writeFile(mainCf, await textWith('ours.example'));
    lock.release();
    assert.deepEqual(await seen, []);
  });

  it('leaves a Postfix alone that runs because the machine was booted since', async () => {
    const journal = await cutOff('half.example', DOWN);
    const file = `${paths.stateDir}/journal.json`;
    await writeFile(file, JSON.stringify({ ...journal, boot: 'an earlier one' }));
    const pid = await masterPid(paths);
    await root.helper.call('record', {}, ACTOR);
    assert.match(await readFile(mainCf, 'utf8'), /^myhostname = ours\.example$/m);
    assert.notEqual(pid, null);
    assert.equal(await masterPid(paths), pid);
  });

  it('takes the Postfix down again that it has started itself', async () => {
    await cutOff('half.example', DOWN);
    await root.helper.call('record', {}, ACTOR);
    assert.equal(await masterPid(paths), null);
  });
});
