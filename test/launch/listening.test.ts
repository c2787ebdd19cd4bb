import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { hasListeningSocket } from '../../lib/launch/systemd.js';

describe('whether a process takes connections', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailserver-listening-'));
  after(() => rmSync(folder, { recursive: true }));

  for (const [kind, address] of [
    ['a port', { host: '127.0.0.1', port: 0 }],
    ['a socket file', { path: join(folder, 'socket') }],
  ] as const) {
    it(`is seen on ${kind}, and no longer when it closed`, async () => {
      assert.equal(await hasListeningSocket(process.pid), false);
      const server = createServer().listen(address);
      await once(server, 'listening');
      assert.equal(await hasListeningSocket(process.pid), true);
      server.close();
      await once(server, 'close');
      assert.equal(await hasListeningSocket(process.pid), false);
    });
  }

  it('is no for a process that has ended', async () => {
    assert.equal(await hasListeningSocket(2 ** 22 + 1), false);
  });
});
