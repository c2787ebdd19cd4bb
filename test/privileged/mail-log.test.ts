import assert from 'node:assert/strict';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir, uptime } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { mailLogFile } from '../../lib/privileged/mail-log.js';

describe('where the lines of Postfix are', () => {
  let folder: string;
  let mailLog: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'mailserver-log-'));
    mailLog = `${folder}/mail.log`;
  });
  after(() => rm(folder, { recursive: true }));

  const where = (named: string, hasJournal: boolean) =>
    mailLogFile({ root: '', mailLog }, named, hasJournal);
  const leaveBehind = async (file: string): Promise<void> => {
    const beforeBoot = Date.now() / 1000 - uptime() - 3600;
    await utimes(file, beforeBoot, beforeBoot);
  };

  it('is nowhere known without a file', async () => {
    assert.equal(await where('', true), null);
    assert.equal(await where(`${folder}/other.log`, false), null);
  });

  it('is the file of a logger that still writes', async () => {
    await writeFile(mailLog, 'a line\n');
    assert.equal(await where('', true), mailLog);
  });

  it('is the journal when the file was left behind by a logger that is gone', async () => {
    await leaveBehind(mailLog);
    assert.equal(await where('', true), null);
  });

  it('is the old file where there is no journal, or where main.cf names it', async () => {
    await leaveBehind(mailLog);
    assert.equal(await where('', false), mailLog);
    assert.equal(await where(mailLog, true), mailLog);
  });

  it('is the file that main.cf names, not the usual one', async () => {
    const named = `${folder}/postfix.log`;
    await writeFile(named, '');
    await leaveBehind(named);
    assert.equal(await where(named, true), named);
  });
});
