import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { placesBelow } from '../../lib/launch/places.js';
import { renderUnits } from '../../lib/launch/units.js';
import { hasOrphanedSession, serverSockets } from '../../lib/privileged/bulk/sessions.js';
import { until } from '../support/wait.js';

/** No name of a program on this machine; as long as the kernel keeps one. */
const NAME = 'notanysmtpd';

describe('what a dead client left behind with Postfix', () => {
  it('may be there where nobody lets us look', async () => {
    assert.equal(await hasOrphanedSession(25, () => Promise.resolve(null)), true);
    assert.equal(await hasOrphanedSession(25, () => Promise.resolve([])), false);
  });

  it('is looked for in the sockets of its processes', async () => {
    const script = `process.title = '${NAME}'; require('net').createServer().listen(0, '127.0.0.1');`;
    const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
    try {
      await until('the process to have its name', async () => {
        const name = await readFile(`/proc/${child.pid}/comm`, 'utf8').catch(() => '');
        return name.trim() === NAME;
      });
      await until('its socket', async () => ((await serverSockets(NAME)) ?? []).length > 0);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    assert.deepEqual(await serverSockets(NAME), []);
  });

  it('is no socket that asks for names', async () => {
    const socket = createSocket('udp4');
    try {
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
      const own = await readdir('/proc/self/fd');
      const links = await Promise.all(
        own.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
      );
      const table = await readFile('/proc/net/udp', 'utf8');
      const inodes = links
        .flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? [])
        .filter((inode) => table.includes(` ${inode} `));
      assert.equal(inodes.length, 1);
      assert.equal(await hasOrphanedSession(25, () => Promise.resolve(inodes)), false);
    } finally {
      socket.close();
    }
  });

  it('may be looked for by the helper that systemd runs', () => {
    const units = renderUnits(placesBelow(null), { node: '/n', current: '/c' }, '/s');
    const helper = units['systemd/system/mailserver-helper@.service'] ?? '';
    assert.match(helper, /^CapabilityBoundingSet=.*\bCAP_SYS_PTRACE\b/m);
  });
});
