import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { lockFolder } from '../../lib/database/folder-lock.js';

describe('the lock on the database folder', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'mailserver-lock-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('is given to one, and to the next once it is given back', async () => {
    const folder = join(root, 'database');
    const first = await lockFolder(folder);
    assert.ok(first);
    assert.equal(await lockFolder(folder), null);
    await first.release();
    const second = await lockFolder(folder);
    assert.ok(second);
    await second.release();
    assert.deepEqual(readdirSync(`${folder}.lock`), []);
  });

  it('is never given to two of many that come at once', async () => {
    const folder = join(root, 'database');
    const locks = await Promise.all(Array.from({ length: 12 }, () => lockFolder(folder)));
    const held = locks.filter((lock) => lock !== null);
    assert.ok(held.length <= 1, `${held.length} hold it`);
    await Promise.all(held.map((lock) => lock.release()));
  });

  it('works in a folder whose path is longer than a socket address', async () => {
    const folder = join(root, 'a'.repeat(100), 'b'.repeat(100), 'database');
    const first = await lockFolder(folder);
    assert.ok(first);
    assert.equal(await lockFolder(folder), null);
    await first.release();
  });
});
