/** The two ways to reach the helper through a socket, started in a private root. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PostfixRoot } from './postfix-root.js';
import { releasedHelper } from './released-helper.js';
import { until } from './wait.js';

export interface HelperSocket {
  readonly path: string;
  readonly listener: ChildProcess;
  stop(): Promise<void>;
}

/** Our own listener, for machines without systemd. `environment` is what whoever starts it happens to have. */
export async function startListener(
  { places, enter }: PostfixRoot,
  environment: NodeJS.ProcessEnv = {},
): Promise<HelperSocket> {
  const path = `${places.root}/run/mailserver/helper.sock`;
  const program = join(dirname(await releasedHelper()), 'listener.js');
  const args = [program, '--socket', path, '--root', places.root];
  return start(path, [...enter, process.execPath, ...args], environment);
}

/** What systemd does for a socket with `Accept=yes`: one process a connection, which is its stdin and stdout. */
export async function startSocketActivation({ places, enter }: PostfixRoot): Promise<HelperSocket> {
  const path = `${places.root}/run/activated.sock`;
  const listen = ['/usr/bin/systemd-socket-activate', '--accept', '--inetd', '--listen', path];
  const program = [process.execPath, await releasedHelper(), '--root', places.root];
  return start(path, [...enter, ...listen, ...program], {});
}

/** In /proc/net/unix: somebody takes connections there (`__SO_ACCEPTCON`). */
const LISTENS = '00010000';

/** A socket that a killed listener left lies there as well; the kernel knows whether somebody listens. */
async function listens(pid: number, path: string): Promise<boolean> {
  const sockets = await readFile(`/proc/${pid}/net/unix`, 'utf8').catch(() => '');
  return sockets.split('\n').some((line) => {
    const columns = line.trim().split(/\s+/);
    return columns[3] === LISTENS && columns[7] === path;
  });
}

async function start(
  path: string,
  [program = '', ...args]: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<HelperSocket> {
  const listener = spawn(program, args, {
    stdio: 'ignore',
    cwd: '/',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...environment },
  });
  await until(`somebody who listens at ${path}`, () => listens(listener.pid ?? 0, path));
  return {
    path,
    listener,
    stop: async () => {
      if (listener.exitCode !== null || listener.signalCode !== null) return;
      const gone = once(listener, 'exit');
      listener.kill('SIGTERM');
      await gone;
    },
  };
}
