/**
 * The daemons beside Postfix: whether they are there, run, start at boot and answer, and starting and stopping them,
 * whoever looks after them. Success is that a daemon answers as its clients ask it, never an exit status.
 *
 * On a machine systemd or Debian's init scripts look after them. A private root starts its own, which outlive the request
 * that started them and end with the lab.
 */
import { spawn } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readText } from '../files.js';
import { CLEAN_ENVIRONMENT, runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { supervisorOf, type Attempt } from './postfix.js';

/** What is to know of a daemon. Each feature has a file with its own. */
export interface DaemonDefinition {
  /** Its name for systemd and for the init scripts, as `amavis`. */
  readonly name: string;
  /** A file of its package without which there is none. */
  readonly program: string;
  /** How it runs in a private root, in the foreground. */
  direct(paths: Paths): DirectStart;
  /** Whether it reads a changed configuration without being started anew. */
  readonly rereads: boolean;
  /** Whether it answers its clients; never throws. */
  answers(paths: Paths): Promise<boolean>;
  /** Why it cannot run although it is installed: the end of a translation key `helper.check.…`; null when it can. */
  readonly lacks?: (paths: Paths) => Promise<string | null>;
  /**
   * Makes what it needs besides its files, and that harms nobody when it stays. Resolves with whether one that runs does not
   * have it before it is started anew.
   */
  readonly equip?: (paths: Paths) => Promise<boolean>;
  /** Whether mail waits in the queue while it is away. */
  readonly holdsMail?: true;
  /** How long it may take to answer after a start, in milliseconds. */
  readonly startLimitMs: number;
}

export interface DirectStart {
  readonly program: string;
  readonly args: readonly string[];
  /** Makes what must be there first. */
  readonly prepare?: () => Promise<void>;
}

export interface Daemon {
  readonly name: string;
  installed(): boolean;
  running(): Promise<boolean>;
  answers(): Promise<boolean>;
  /** Whether it comes up by itself after a boot; in a private root: when the lab is started again. */
  enabledAtBoot(): Promise<boolean>;
  enableAtBoot(on: boolean): Promise<void>;
  /** Starts it unless it answers; resolves when it does, or does not in time. */
  start(): Promise<Attempt>;
  restart(): Promise<Attempt>;
  /** Has it read its configuration anew; resolves when it answers again. */
  reload(): Promise<Attempt>;
  /** Resolves when it is gone. */
  stop(): Promise<void>;
}

/** How long a daemon has to end after it was asked to, before it is killed, in milliseconds (amavisd takes 6.5 s). */
const STOP_LIMIT_MS = 20_000;
/** How long one that has ended may be listed still, in milliseconds. */
const VANISH_LIMIT_MS = 5_000;
/** How often is looked whether it answers, in milliseconds. */
const LOOK_AGAIN_MS = 100;
/** How much of a log is told when a daemon does not come up, in bytes. */
const LOG_TAIL_BYTES = 4_000;
/** How long whoever looks after daemons may take for an order, in milliseconds. */
const ORDER_TIMEOUT_MS = 120_000;

export function daemonOf(definition: DaemonDefinition, paths: Paths): Daemon {
  const { name, program, rereads, startLimitMs } = definition;
  const adapter = adapterFor(definition, paths);
  const answers = () => definition.answers(paths);
  /** An order that failed says why, but whether it did is seen from outside. */
  const until = async (order: Promise<Order>): Promise<Attempt> => {
    const { service, succeeded, said } = await order;
    const end = Date.now() + (succeeded ? startLimitMs : 0);
    let up = await answers();
    for (; !up && Date.now() < end && !(await adapter.hasGivenUp()); up = await answers())
      await sleep(LOOK_AGAIN_MS);
    return { up, service, said: up ? said : `${said}\n${await adapter.lastWords()}`.trim() };
  };
  return {
    name,
    installed: () => existsSync(program),
    running: async () => (await adapter.running()) || answers(),
    answers,
    enabledAtBoot: () => adapter.enabledAtBoot(),
    enableAtBoot: (on) => adapter.enableAtBoot(on),
    start: async () =>
      (await answers()) ? { up: true, service: '', said: '' } : until(adapter.order('start')),
    restart: () => until(adapter.order('restart')),
    reload: () => until(adapter.order(rereads ? 'reload' : 'restart')),
    stop: async () => {
      await adapter.order('stop');
      const end = Date.now() + STOP_LIMIT_MS;
      while ((await adapter.running()) && Date.now() < end) await sleep(LOOK_AGAIN_MS);
    },
  };
}

/** Starts what comes up by itself when a lab is started again. Resolves with the names of those that did not. */
export async function startAtBoot(
  definitions: readonly DaemonDefinition[],
  paths: Paths,
): Promise<readonly string[]> {
  const attempts = definitions.map(async (definition) => {
    const daemon = daemonOf(definition, paths);
    if (!(await daemon.enabledAtBoot()) || !daemon.installed()) return [];
    return (await daemon.start()).up ? [] : [daemon.name];
  });
  return (await Promise.all(attempts)).flat();
}

type Verb = 'start' | 'restart' | 'reload' | 'stop';

interface Order {
  readonly service: string;
  readonly succeeded: boolean;
  readonly said: string;
}

/** Whoever looks after the daemons here. */
interface Adapter {
  running(): Promise<boolean>;
  enabledAtBoot(): Promise<boolean>;
  enableAtBoot(on: boolean): Promise<void>;
  order(verb: Verb): Promise<Order>;
  /** Whether waiting for an answer is pointless. */
  hasGivenUp(): Promise<boolean>;
  /** What the daemon said last. */
  lastWords(): Promise<string>;
}

function adapterFor(definition: DaemonDefinition, paths: Paths): Adapter {
  if (paths.root !== '') return directAdapter(definition, paths);
  return supervisorOf(paths) === 'systemd' ? systemdAdapter(definition) : initAdapter(definition);
}

async function ask(program: string, args: readonly string[]): Promise<Order> {
  const { code, stdout, stderr } = await runNative(program, args, { timeoutMs: ORDER_TIMEOUT_MS });
  const service = [path.basename(program), ...args].join(' ');
  return { service, succeeded: code === 0, said: `${stdout}${stderr}`.trim() };
}

const SYSTEMCTL = '/usr/bin/systemctl';

function systemdAdapter({ name }: DaemonDefinition): Adapter {
  const unit = `${name}.service`;
  const state = async () => (await ask(SYSTEMCTL, ['is-active', unit])).said;
  return {
    running: async () => ['active', 'reloading', 'activating'].includes(await state()),
    hasGivenUp: async () => ['failed', 'inactive'].includes(await state()),
    enabledAtBoot: async () => /^enabled/.test((await ask(SYSTEMCTL, ['is-enabled', unit])).said),
    enableAtBoot: async (on) => void (await ask(SYSTEMCTL, [on ? 'enable' : 'disable', unit])),
    order: async (verb) => {
      if (verb === 'start' || verb === 'restart') await ask(SYSTEMCTL, ['reset-failed', unit]);
      return ask(SYSTEMCTL, [verb === 'reload' ? 'reload-or-restart' : verb, unit]);
    },
    lastWords: async () =>
      (await ask(SYSTEMCTL, ['status', '--no-pager', '--lines=15', unit])).said,
  };
}

function initAdapter({ name }: DaemonDefinition): Adapter {
  return {
    running: async () => (await ask('/usr/sbin/service', [name, 'status'])).succeeded,
    hasGivenUp: () => Promise.resolve(false),
    enabledAtBoot: async () => {
      const links = await readdir('/etc/rc2.d').catch(() => []);
      return links.some((link) => /^S\d\d/.test(link) && link.slice(3) === name);
    },
    enableAtBoot: async (on) =>
      void (await ask('/usr/sbin/update-rc.d', [name, on ? 'enable' : 'disable'])),
    order: (verb) => ask('/usr/sbin/service', [name, verb === 'reload' ? 'force-reload' : verb]),
    lastWords: () => Promise.resolve(''),
  };
}

/** Where a private root keeps what it knows of the daemons it started. */
function directFolder({ root }: Paths): string {
  return `${root}/run/mailserver-daemons`;
}

function directAdapter(definition: DaemonDefinition, paths: Paths): Adapter {
  const { name } = definition;
  const pidFile = `${directFolder(paths)}/${name}.pid`;
  const mark = `${paths.root}/etc/mailserver/at-boot/${name}`;
  const log = `${paths.root}/var/log/${name}.log`;

  /** The process we started, as long as it is that one: its start time is kept beside its id (proc(5)). */
  const pid = async (): Promise<number | null> => {
    const [id, started] = ((await readText(pidFile)) ?? '').split(' ');
    if (!id || !started) return null;
    return (await startTimeOf(id)) === started.trim() ? Number(id) : null;
  };
  /** One that has ended counts as running for a daemon that asks kill(2) about it, until its parent has looked. */
  const vanished = async (): Promise<void> => {
    const [id = '', started = ''] = ((await readText(pidFile)) ?? '').trim().split(' ');
    const end = Date.now() + VANISH_LIMIT_MS;
    while ((await statusOf(id))?.started === started && Date.now() < end)
      await sleep(LOOK_AGAIN_MS);
  };
  /** Where only the first process was killed, the others hold its ports. Their group keeps its number until all are gone. */
  const endOrphans = async (): Promise<void> => {
    await vanished();
    const [id] = ((await readText(pidFile)) ?? '').split(' ');
    if (id && !existsSync(`/proc/${id}`)) signal(-Number(id), 'SIGKILL');
  };
  const stop = async (): Promise<void> => {
    const id = await pid();
    if (id === null) return;
    signal(id, 'SIGTERM');
    const end = Date.now() + STOP_LIMIT_MS;
    while ((await pid()) !== null && Date.now() < end) await sleep(LOOK_AGAIN_MS);
    // What it started is in its session (setsid(2)).
    signal(-id, 'SIGKILL');
    await vanished();
    await rm(pidFile, { force: true });
  };
  const start = async (): Promise<Order> => {
    const { program, args, prepare } = definition.direct(paths);
    await mkdir(directFolder(paths), { recursive: true, mode: 0o755 });
    await endOrphans();
    await prepare?.();
    const output = openSync(log, 'a', 0o640);
    const child = spawn(program, args, {
      cwd: '/',
      detached: true,
      env: CLEAN_ENVIRONMENT,
      stdio: ['ignore', output, output],
    });
    child.on('error', () => undefined);
    child.unref();
    if (child.pid !== undefined) {
      await writeFile(pidFile, `${child.pid} ${(await startTimeOf(String(child.pid))) ?? ''}`);
    }
    const service = [path.basename(program), ...args].join(' ');
    return { service, succeeded: child.pid !== undefined, said: '' };
  };
  return {
    running: async () => (await pid()) !== null,
    hasGivenUp: async () => (await pid()) === null,
    enabledAtBoot: () => Promise.resolve(existsSync(mark)),
    enableAtBoot: async (on) => {
      await mkdir(path.dirname(mark), { recursive: true, mode: 0o755 });
      if (on) await writeFile(mark, '');
      else await rm(mark, { force: true });
    },
    order: async (verb) => {
      const id = await pid();
      if (verb === 'reload' && id !== null) {
        signal(id, 'SIGHUP');
        return { service: name, succeeded: true, said: '' };
      }
      if (verb !== 'start') await stop();
      return verb === 'stop' ? { service: name, succeeded: true, said: '' } : start();
    },
    lastWords: () => tailOf(log),
  };
}

/** When the process began, in ticks since boot; null when there is none, or it has ended and nobody has asked about it. */
async function startTimeOf(pid: string): Promise<string | null> {
  const status = await statusOf(pid);
  return status === null || status.ended ? null : status.started;
}

/** Of a process that is listed (proc(5)): when it began, and whether it has ended; null when there is none. */
async function statusOf(
  pid: string,
): Promise<{ readonly started: string; readonly ended: boolean } | null> {
  try {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the state is the third field, the start time the 22nd.
    const [state = '', ...fields] = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return { started: fields[18] ?? '', ended: state === 'Z' || state === 'X' };
  } catch {
    return null;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself.
  }
}

async function tailOf(file: string): Promise<string> {
  try {
    const handle = await open(file);
    try {
      const { size } = await handle.stat();
      const length = Math.min(size, LOG_TAIL_BYTES);
      const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
      return buffer.toString('utf8');
    } finally {
      await handle.close();
    }
  } catch {
    return '';
  }
}
