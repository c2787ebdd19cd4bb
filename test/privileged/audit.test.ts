import assert from 'node:assert/strict';
import {
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { audit, KEPT_AUDIT_FILES, MAX_AUDIT_BYTES } from '../../lib/privileged/audit.js';
import { pathsBelow, type Paths } from '../../lib/privileged/paths.js';

const ENTRY = { id: '1', actor: 'admin', action: 'apply', result: 'asked', ms: 3 };

describe('the audit log', () => {
  let root: string;
  let paths: Paths;
  let file: string;
  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'mailserver-audit-'));
    paths = pathsBelow(root);
    file = `${paths.stateDir}/audit.log`;
  });
  after(() => rm(root, { recursive: true }));

  it('holds one line an entry, whatever a login holds, and is for root alone', async () => {
    await audit(paths, 'changes', { ...ENTRY, actor: 'a\n{"forged":1}\u2028\ud800' });
    await audit(paths, 'changes', { ...ENTRY, params: { change: 1 } });
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    assert.equal(lines.length, 2);
    const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.equal(first?.['actor'], 'a\n{"forged":1}\u2028\ud800');
    assert.deepEqual(second?.['params'], { change: 1 });
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  });

  it('does not grow by what a question holds', async () => {
    const before = (await stat(file)).size;
    await audit(paths, 'changes', { ...ENTRY, params: { sections: Array(100_000).fill('base') } });
    assert.ok((await stat(file)).size - before < 1_000);
  });

  it('begins a new file at the limit, loses no entry, and keeps the newest files', async () => {
    for (let round = 0; round < KEPT_AUDIT_FILES + 2; round += 1) {
      await truncate(file, MAX_AUDIT_BYTES - 10);
      await audit(paths, 'changes', { ...ENTRY, id: String(round) });
      await audit(paths, 'changes', { ...ENTRY, id: `after ${round}` });
    }
    const full = (await readdir(paths.stateDir))
      .filter((name) => name.startsWith('audit.log.'))
      .sort();
    assert.equal(full.length, KEPT_AUDIT_FILES);
    const lastRound = KEPT_AUDIT_FILES + 1;
    const newest = await readFile(`${paths.stateDir}/${full.at(-1)}`, 'utf8');
    assert.match(newest, new RegExp(`"id":"${lastRound}"`));
    assert.match(await readFile(file, 'utf8'), new RegExp(`"id":"after ${lastRound}"`));
  });

  it('keeps every change, however much is asked and refused', async () => {
    await audit(paths, 'changes', { ...ENTRY, id: 'the change' });
    const requests = `${paths.stateDir}/audit-requests.log`;
    for (let round = 0; round < 2 * KEPT_AUDIT_FILES; round += 1) {
      await audit(paths, 'requests', { ...ENTRY, result: 'validate helper.validate.params' });
      await truncate(requests, MAX_AUDIT_BYTES - 10);
      await audit(paths, 'requests', ENTRY);
    }
    const names = await readdir(paths.stateDir);
    const full = names.filter((name) => name.startsWith('audit-requests.log.'));
    assert.equal(full.length, KEPT_AUDIT_FILES);
    assert.match(await readFile(file, 'utf8'), /"id":"the change"/);
  });

  it('follows no link', async () => {
    const victim = `${root}/victim`;
    await writeFile(victim, '');
    await rm(file);
    await symlink(victim, file);
    await assert.rejects(audit(paths, 'changes', ENTRY));
    assert.equal(await readFile(victim, 'utf8'), '');
  });
});
