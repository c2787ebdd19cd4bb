import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { PACKAGE_ROOT } from '../../lib/package-root.js';

const folder = mkdtempSync(join(tmpdir(), 'mailserver-set-up-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** An npm that notes what it was asked and installs nothing. */
const NPM = `#!/bin/sh\nprintf '%s\\n' "$@" > "${folder}/asked"\nexit 1\n`;

describe('the set-up', () => {
  it('asks for the compiler as well, whatever NODE_ENV says', () => {
    mkdirSync(join(folder, 'bin'));
    cpSync(join(PACKAGE_ROOT, 'bin/set-up.mjs'), join(folder, 'bin/set-up.mjs'));
    cpSync(join(PACKAGE_ROOT, 'package-lock.json'), join(folder, 'package-lock.json'));
    writeFileSync(join(folder, 'npm'), NPM, { mode: 0o755 });
    const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}`, NODE_ENV: 'production' };
    const program = join(folder, 'bin/set-up.mjs');
    const { status } = spawnSync(process.execPath, [program, 'run'], { env, stdio: 'ignore' });
    assert.equal(status, 1);
    const asked = readFileSync(join(folder, 'asked'), 'utf8').split('\n');
    assert.ok(asked.includes('ci'));
    assert.ok(asked.includes('--include=dev'));
  });
});
