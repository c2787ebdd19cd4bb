/** A whole Debian with systemd as its first process, in a container with nothing but a loopback network. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync } from 'node:fs';
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { cacheFolder, debianImage, type Release } from './debian-image.js';
import { openTunnel, openWayOut, runInside, type CommandResult } from './inside.js';
import { startRegistryProxy, type RegistryProxy } from './registry-proxy.js';
import { until } from './wait.js';

/** How long a boot may take, in milliseconds: it takes 20 seconds on a quiet machine. */
const BOOT_LIMIT_MS = 300_000;

const PROXY_PORT = 3128;

/** `npm test` takes one, `npm run test:appliance` the other. */
export const RELEASE: Release =
  process.env['MAILSERVER_TEST_RELEASE'] === 'other' ? 'bookworm' : 'trixie';

/** Where the clone lies inside: in a home that is closed to everybody else. */
export const CLONE = '/root/mailserver';

/** What a clone does not have. */
const NOT_IN_A_CLONE = ['.cache', '.git', 'coverage', 'dist', 'node_modules'];

export class Appliance {
  readonly #folder: string;
  readonly #image: string;
  readonly #proxy: RegistryProxy;
  readonly #closers: (() => void)[] = [];
  #nspawn: ChildProcess | null = null;
  #leader = 0;

  private constructor(folder: string, image: string, proxy: RegistryProxy) {
    this.#folder = folder;
    this.#image = image;
    this.#proxy = proxy;
  }

  /** A fresh one with a copy of this clone in it, booted. */
  static async start(release: Release): Promise<Appliance> {
    const image = await debianImage(release);
    const folder = mkdtempSync(join(cacheFolder(), `appliance-${release}-`));
    const { stdout: registry } = await promisify(execFile)('npm', ['config', 'get', 'registry']);
    const proxy = await startRegistryProxy(join(folder, 'proxy'), registry.trim());
    const appliance = new Appliance(folder, image, proxy);
    for (const name of ['disk', 'work', 'root']) await mkdir(join(folder, name));
    await appliance.#install(registry.trim());
    await appliance.boot();
    return appliance;
  }

  /** A path inside as one of this machine, while it runs. */
  path(inside: string): string {
    return `/proc/${this.#leader}/root${inside}`;
  }

  async boot(): Promise<void> {
    const [upper, work, root] = ['disk', 'work', 'root'].map((name) => join(this.#folder, name));
    const log = openSync(join(this.#folder, 'boot.log'), 'a');
    const script =
      'mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" "$4" && shift 3 && exec systemd-nspawn --directory "$@"';
    this.#nspawn = spawn(
      '/usr/bin/setpriv',
      [
        // Shut down when the test is killed.
        ...['--pdeathsig', 'TERM', '/usr/bin/unshare'],
        ...['--mount', '--propagation', 'private', '--', '/bin/sh', '-c', script, 'sh'],
        ...[this.#image, upper, work, root].map(String),
        ...['--boot', '--private-network', '--register=no', '--keep-unit', '--quiet'],
        ...['--machine', `appliance-${process.pid}`],
      ],
      { stdio: ['ignore', log, log], detached: true },
    );
    this.#leader = await until('the appliance to start', () => this.#findLeader(), BOOT_LIMIT_MS);
    await until(
      'the appliance to be up',
      async () => {
        if (this.#nspawn?.exitCode !== null)
          throw new Error(`it did not boot: ${await this.#log()}`);
        const { output } = await this.run('systemctl', 'is-system-running');
        return /running|degraded/.test(output);
      },
      BOOT_LIMIT_MS,
    );
    this.#closers.push(await openWayOut(this.#leader, join(this.#folder, 'proxy'), PROXY_PORT));
  }

  /** Runs a command as root inside, in the clone. Resolves whatever its exit code. */
  run(...command: string[]): Promise<CommandResult> {
    return runInside(this.#leader, CLONE, command);
  }

  /** Like `run`, and rejects with what it said when it fails. */
  async must(...command: string[]): Promise<string> {
    const { code, output } = await this.run(...command);
    if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${output}`);
    return output;
  }

  /** A port of this machine that leads to a port inside, until the appliance ends. */
  async tunnel(port: number): Promise<number> {
    const tunnel = await openTunnel(this.#leader, port, this.#folder);
    this.#closers.push(() => tunnel.close());
    return tunnel.port;
  }

  /** Shuts it down in order. */
  async powerOff(): Promise<void> {
    await this.#end(() => this.#nspawn?.kill('SIGTERM'));
  }

  /** Every process in it is gone at once: the kernel ends them with the first one. */
  async powerCut(): Promise<void> {
    await this.#end(() => process.kill(this.#leader, 'SIGKILL'));
  }

  /** Ends it and removes its disk. */
  async remove(): Promise<void> {
    if (this.#nspawn) await this.powerCut();
    this.#proxy.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(end: () => void): Promise<void> {
    const nspawn = this.#nspawn;
    if (!nspawn) return;
    const ended = once(nspawn, 'exit');
    end();
    for (const close of this.#closers.splice(0)) close();
    if (nspawn.exitCode === null && nspawn.signalCode === null) await ended;
    this.#nspawn = null;
    await until('the appliance to be gone', () => this.#isGone());
  }

  async #isGone(): Promise<boolean> {
    return (await readFile(`/proc/${this.#leader}/stat`, 'utf8').catch(() => '')) === '';
  }

  /** The container's first process: the child of systemd-nspawn. */
  async #findLeader(): Promise<number | null> {
    const pid = this.#nspawn?.pid ?? 0;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    for (const child of children.trim().split(' ').filter(Boolean)) {
      const name = await readFile(`/proc/${child}/comm`, 'utf8').catch(() => '');
      if (name.trim() === 'systemd') return Number(child);
    }
    return null;
  }

  /** The clone, and what the outside world of this machine needs: its name, its proxy, its certificates. */
  async #install(registry: string): Promise<void> {
    const disk = join(this.#folder, 'disk');
    const write = async (path: string, content: string): Promise<void> => {
      await mkdir(join(disk, path, '..'), { recursive: true });
      await writeFile(join(disk, path), content);
    };
    await mkdir(join(disk, 'root'), { mode: 0o700 });
    await mkdir(join(disk, CLONE));
    for (const name of await readdir(PACKAGE_ROOT)) {
      if (NOT_IN_A_CLONE.includes(name)) continue;
      await cp(join(PACKAGE_ROOT, name), join(disk, CLONE, name), { recursive: true });
    }
    const proxy = `http://127.0.0.1:${PROXY_PORT}`;
    await write('/etc/hostname', 'appliance\n');
    await write('/etc/hosts', '127.0.0.1 localhost\n127.0.1.1 appliance.example appliance\n');
    await write('/etc/apt/apt.conf.d/99proxy', `Acquire::http::Proxy "${proxy}";\n`);
    await write('/etc/dpkg/dpkg.cfg.d/99fast', 'force-unsafe-io\n');
    const bundle = '/etc/ssl/certs/ca-certificates.crt';
    await write('/root/machine.pem', await readFile(bundle, 'utf8'));
    const npm = [`proxy=${proxy}`, `https-proxy=${proxy}`, `registry=${registry}`];
    await write('/root/.npmrc', [...npm, 'cafile=/root/machine.pem', ''].join('\n'));
  }

  async #log(): Promise<string> {
    return (await readFile(join(this.#folder, 'boot.log'), 'utf8')).slice(-2000);
  }
}
