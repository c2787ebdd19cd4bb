/**
 * This machine once more, without systemd: the same programs, its own processes and its own loopback, and whatever is
 * written to /etc, /var, /run, /root and /usr/local is gone with it. For the system-wide mode, which must not be tried
 * on the machine itself.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import {
  openTunnel,
  openWayOut,
  runInside,
  startInside,
  type CommandResult,
  type RunningCommand,
} from './inside.js';
import { until } from './wait.js';

/** Where this package lies inside: everybody can get there. */
export const CLONE = '/mnt/clone';

const PREPARE = `
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/clone
for folder in etc var root usr/local; do
  mkdir -p /mnt/changes/$folder/upper /mnt/changes/$folder/work
  mount -t overlay overlay \\
    -o lowerdir=/$folder,upperdir=/mnt/changes/$folder/upper,workdir=/mnt/changes/$folder/work /$folder
done
mount -t tmpfs -o mode=0755 tmpfs /run
mount --bind "$1" /mnt/clone
/usr/sbin/ip link set lo up
echo ready
exec sleep infinity
`;

export class SpareMachine {
  readonly #folder = mkdtempSync(join(tmpdir(), 'mailserver-spare-'));
  readonly #holder: ChildProcess;
  readonly #closers: (() => void)[] = [];
  #leader = 0;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  static async start(): Promise<SpareMachine> {
    const holder = spawn(
      '/usr/bin/setpriv',
      [
        ...['--pdeathsig', 'KILL', '/usr/bin/unshare'],
        ...['--mount', '--propagation', 'private', '--net', '--ipc', '--pid', '--fork'],
        ...['--kill-child', '--mount-proc', '--', '/bin/sh', '-c', PREPARE, 'sh', PACKAGE_ROOT],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await Promise.race([
      once(holder.stdout, 'data'),
      once(holder, 'exit').then(() => Promise.reject(new Error('no namespaces on this machine'))),
    ]);
    const spare = new SpareMachine(holder);
    const pid = String(holder.pid);
    spare.#leader = await until('its first process', async () =>
      Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')[0]),
    );
    return spare;
  }

  run(...command: string[]): Promise<CommandResult> {
    return runInside(this.#leader, CLONE, command);
  }

  start(...command: string[]): RunningCommand {
    return startInside(this.#leader, CLONE, command);
  }

  /** The command that runs a program inside: put it before program and arguments. */
  get enter(): readonly string[] {
    return ['/usr/bin/nsenter', '-t', String(this.#leader), '-m', '-u', '-i', '-n', '-p', '--'];
  }

  /** Lets programs inside reach a unix socket of this machine at a TCP port of theirs. */
  async wayOut(socket: string, port: number): Promise<void> {
    this.#closers.push(await openWayOut(this.#leader, socket, port));
  }

  /** A path inside as one of this machine. */
  path(inside: string): string {
    return `/proc/${this.#leader}/root${inside}`;
  }

  /** A port of this machine that leads to a port inside. */
  async tunnel(port: number): Promise<number> {
    const tunnel = await openTunnel(this.#leader, port, this.#folder);
    this.#closers.push(() => tunnel.close());
    return tunnel.port;
  }

  async end(): Promise<void> {
    for (const close of this.#closers) close();
    const ended = once(this.#holder, 'exit');
    this.#holder.kill('SIGKILL');
    await ended;
    await rm(this.#folder, { recursive: true, force: true });
  }
}
