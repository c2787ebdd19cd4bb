import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { originOf } from '../../lib/privileged/route/tables.js';

describe('myorigin', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailserver-origin-'));
  after(() => rmSync(folder, { recursive: true }));

  it('is the first line of the file it names, as Debian has it', async () => {
    writeFileSync(join(folder, 'mailname'), 'acme.example\nmore\n');
    assert.equal(await originOf(join(folder, 'mailname')), 'acme.example');
    assert.equal(await originOf(join(folder, 'missing')), '');
  });

  it('is a name otherwise', async () => {
    assert.equal(await originOf('acme.example'), null);
  });
});
