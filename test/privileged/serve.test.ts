import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { pathsBelow } from '../../lib/privileged/paths.js';
import { PROTOCOL_VERSION, type Answer } from '../../lib/privileged/protocol.js';

describe('the helper', () => {
  it('answers that something failed also when the disk of its log is full', async () => {
    const root = await mkdtemp(path.join(tmpdir(), 'mailserver-serve-'));
    const { stateDir } = pathsBelow(root);
    await mkdir(path.dirname(stateDir), { recursive: true });
    await writeFile(stateDir, 'no folder');
    const full = openSync('/dev/full', 'w');
    const helper = spawn(
      process.execPath,
      [path.join(PACKAGE_ROOT, 'dist/lib/privileged/main.js'), '--root', root],
      { stdio: ['pipe', 'pipe', full] },
    );
    closeSync(full);
    let said = '';
    helper.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const request = { protocol: PROTOCOL_VERSION, actor: 'admin', action: 'drift', params: {} };
    helper.stdin?.end(`${JSON.stringify(request)}\n`);
    const [code] = (await once(helper, 'close')) as [number];
    const answer = JSON.parse(said) as Answer;
    assert.ok('error' in answer);
    assert.equal(answer.error.key, 'helper.run.failed');
    assert.equal(code, 0);
    await rm(root, { recursive: true });
  });
});
