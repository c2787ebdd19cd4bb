import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { isUnread } from '../../lib/privileged/actions/system-aliases.js';

describe('the system’s own aliases', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailserver-aliases-'));
  const file = join(folder, 'aliases');
  const write = (name: string, seconds: number): void => {
    writeFileSync(name, '');
    utimesSync(name, seconds, seconds);
  };
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('are unread from an edit until a table is made of them', async () => {
    assert.equal(await isUnread(file), false);
    write(file, 1_000);
    assert.equal(await isUnread(file), false);
    write(`${file}.db`, 900);
    assert.equal(await isUnread(file), true);
    write(`${file}.lmdb`, 1_001);
    assert.equal(await isUnread(file), false);
  });
});
