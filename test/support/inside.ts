/** Commands and connections into the namespaces of another process (nsenter(1)). */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** How long a command may take, in milliseconds: npm and apt have to fetch a lot. */
const COMMAND_LIMIT_MS = 900_000;

const RELAY = fileURLToPath(new URL('netns-relay.js', import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  /** What it said, on stdout and stderr. */
  readonly output: string;
}

export type RunningCommand = ChildProcessByStdio<null, Readable, Readable>;

/** Starts a command as root inside, in the folder `cwd` there. `leader` is any process of that place. */
export function startInside(
  leader: number,
  cwd: string,
  command: readonly string[],
): RunningCommand {
  const enter = ['-t', String(leader), '-m', '-u', '-i', '-n', '-p', '--'];
  return spawn('/usr/bin/nsenter', [...enter, '/usr/bin/env', '-C', cwd, ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: COMMAND_LIMIT_MS,
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      LANG: 'C.UTF-8',
      TERM: 'dumb',
    },
  });
}

/** nsenter(1) waits for the command in a process of its own and passes no signal on. */
export function signalInside({ pid }: RunningCommand, signal: NodeJS.Signals): void {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  process.kill(Number(children.split(' ')[0]), signal);
}

/** Runs a command to its end. Resolves whatever its exit code. */
export async function runInside(
  leader: number,
  cwd: string,
  command: readonly string[],
): Promise<CommandResult> {
  const child = startInside(leader, cwd, command);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

/** Lets processes inside reach a unix socket of this machine at a TCP port there. Returns what ends it. */
export async function openWayOut(
  leader: number,
  socket: string,
  port: number,
): Promise<() => void> {
  return startRelay(leader, 'in', socket, port);
}

export interface Tunnel {
  /** On this machine's loopback. */
  readonly port: number;
  close(): void;
}

/** A port of this machine that leads to a port inside. `folder` holds the socket between the two. */
export async function openTunnel(leader: number, port: number, folder: string): Promise<Tunnel> {
  const socket = `${folder}/port-${port}`;
  await rm(socket, { force: true });
  const endRelay = await startRelay(leader, 'out', socket, port);
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ path: socket, allowHalfOpen: true });
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    near.on('error', end).pipe(far).on('error', end).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      endRelay();
    },
  };
}

async function startRelay(
  leader: number,
  direction: 'in' | 'out',
  socket: string,
  port: number,
): Promise<() => void> {
  const args = ['-t', String(leader), '-n', '--', process.execPath, RELAY];
  const command = ['--pdeathsig', 'KILL', '/usr/bin/nsenter', ...args];
  const relay = spawn('/usr/bin/setpriv', [...command, direction, socket, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(relay.stdout, 'data');
  return () => void relay.kill('SIGKILL');
}
