import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { pathsBelow } from '../../../lib/privileged/paths.js';
import { daemonOf, type DaemonDefinition } from '../../../lib/privileged/services/daemons.js';
import { until } from '../../support/wait.js';

/** How long after the order to start the killed one is listed, in milliseconds. */
const LOOKED_AT_MS = 300;

it('a daemon of a private root starts once the one that was killed is listed no longer', async () => {
  const root = await mkdtemp(join(tmpdir(), 'mailserver-daemons-'));
  // A parent that never looks after its child, which is listed therefore after its end.
  const parent = spawn('/bin/sh', ['-c', 'sleep 600 & echo $!; exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [told] = (await once(parent.stdout, 'data')) as [Buffer];
  const killed = told.toString().trim();
  const definition: DaemonDefinition = {
    ...{ name: 'waiter', program: '/bin/sh', rereads: false, startLimitMs: 10_000 },
    direct: () => ({
      program: '/bin/sh',
      args: ['-c', `kill -0 ${killed} && exit 1; touch ${root}/up; exec sleep 600`],
    }),
    answers: () => Promise.resolve(existsSync(`${root}/up`)),
  };
  const daemon = daemonOf(definition, pathsBelow(root));
  try {
    await mkdir(`${root}/run/mailserver-daemons`, { recursive: true });
    await mkdir(`${root}/var/log`, { recursive: true });
    await writeFile(
      `${root}/run/mailserver-daemons/waiter.pid`,
      `${killed} ${(await statOf(killed))[19] ?? ''}`,
    );
    process.kill(Number(killed), 'SIGKILL');
    await until('its end', async () => (await statOf(killed))[0] === 'Z');
    setTimeout(() => parent.kill('SIGKILL'), LOOKED_AT_MS);
    const { up } = await daemon.start();
    assert.equal(up, true);
  } finally {
    parent.kill('SIGKILL');
    await daemon.stop();
    await rm(root, { recursive: true, force: true });
  }
});

/** From the state on (proc(5)). */
async function statOf(pid: string): Promise<readonly string[]> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8');
  return status.slice(status.lastIndexOf(')') + 2).split(' ');
}
