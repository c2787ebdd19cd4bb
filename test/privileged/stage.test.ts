import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { refuseEditedMeanwhile } from '../../lib/privileged/apply/stage.js';

const OLD = Buffer.from('myhostname = one.example\n');
const NEW = Buffer.from('myhostname = two.example\n');
const OURS = '/etc/mailserver/ours.conf';

describe('a save that took a while', () => {
  let root = '';
  let configDir = '';
  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'mailserver-stage-'));
    configDir = `${root}/etc/postfix`;
    await mkdir(configDir, { recursive: true });
    await mkdir(path.dirname(root + OURS), { recursive: true });
  });
  beforeEach(async () => {
    for (const name of ['main.cf', 'master.cf']) await writeFile(`${configDir}/${name}`, OLD);
    await writeFile(root + OURS, 'as it was\n');
  });
  after(() => rm(root, { recursive: true, force: true }));

  const stage = { before: { main: OLD, master: OLD }, after: { main: NEW, master: OLD } };
  const look = (text: string | null = 'as it was\n') =>
    refuseEditedMeanwhile(stage, [{ file: root + OURS, before: text }], { root, configDir });
  const refused = (name: string) => (error: unknown) =>
    error instanceof HelperError &&
    error.key === 'helper.drift.meanwhile' &&
    error.values['name'] === name;

  it('goes on where nobody edited what it replaces', async () => {
    await look();
    await writeFile(`${configDir}/master.cf`, 'of no account: it stays as it is');
    await look();
  });

  it('is refused where somebody edited or took away what it replaces', async () => {
    await writeFile(root + OURS, 'by hand\n');
    await assert.rejects(look(), refused(OURS));
    await rm(root + OURS);
    await assert.rejects(look(), refused(OURS));
    await writeFile(`${configDir}/main.cf`, 'by hand\n');
    await assert.rejects(look(), refused('main.cf'));
  });

  it('is refused where somebody made the file that it makes', async () => {
    await assert.rejects(look(null), refused(OURS));
    await rm(root + OURS);
    for (const nothing of [null, '']) await look(nothing);
  });
});
