/** Starting, reloading and asking Postfix, whoever supervises it. Success is a behaviour, never an exit status. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { runNative, type NativeResult } from '../native.js';
import type { Paths } from '../paths.js';

const POSTFIX = '/usr/sbin/postfix';
const CHROOT_SCRIPT = '/usr/lib/postfix/configure-instance.sh';
/** How long Postfix has to come up, in milliseconds (a new queue takes 2.7 s). */
const START_LIMIT_MS = 30_000;

/** Who looks after the daemons of this machine. */
export type Supervisor = 'systemd' | 'init' | 'direct';

export function supervisorOf(paths: Paths): Supervisor {
  if (paths.root !== '') return 'direct';
  if (existsSync('/run/systemd/system')) return 'systemd';
  return existsSync('/etc/init.d/postfix') ? 'init' : 'direct';
}

export interface PostfixService {
  running(): Promise<boolean>;
  /** Starts it when it is down; resolves when the master process is there. */
  start(): Promise<boolean>;
  reload(): Promise<NativeResult>;
  restart(): Promise<boolean>;
  /** Stops it when it runs; resolves when its master process is gone. */
  stop(): Promise<void>;
}

export function postfixService(paths: Paths): PostfixService {
  const running = async () => (await masterPid(paths)) !== null;
  const until = async (): Promise<boolean> => {
    for (const end = Date.now() + START_LIMIT_MS; Date.now() < end; await sleep(50)) {
      if (await running()) return true;
    }
    return false;
  };
  return {
    running,
    start: async () => {
      if (await running()) return true;
      await supervise(paths, 'start');
      if (!(await running())) await directly(paths, 'start');
      return until();
    },
    reload: () => postfix(paths, 'reload'),
    restart: async () => {
      const before = await masterPid(paths);
      await supervise(paths, 'restart');
      if ((await masterPid(paths)) === before) await directly(paths, 'restart');
      return until();
    },
    stop: async () => {
      if (!(await running())) return;
      await supervise(paths, 'stop');
      if (await running()) await directly(paths, 'stop');
    },
  };
}

type Verb = 'start' | 'restart' | 'stop';

/**
 * Asks whoever looks after the daemons. Debian's init script does nothing, with success, for an instance that
 * multi-instance mode has not enabled, which is the normal case: so what follows looks whether anything happened.
 */
async function supervise(paths: Paths, verb: Verb): Promise<void> {
  switch (supervisorOf(paths)) {
    case 'systemd':
      await runNative('/usr/bin/systemctl', [verb, 'postfix.service']);
      return;
    case 'init':
      await runNative('/usr/sbin/service', ['postfix', verb]);
      return;
    case 'direct':
      await directly(paths, verb);
  }
}

async function directly(paths: Paths, verb: Verb): Promise<void> {
  // Under systemd only its own unit may run the daemons: they would lack its limits, and it would not know them.
  if (supervisorOf(paths) === 'systemd') return;
  if (verb !== 'start') await postfix(paths, 'stop');
  if (verb !== 'stop') {
    await fillChroot(paths);
    await postfix(paths, 'start');
  }
}

function postfix(paths: Paths, command: 'start' | 'stop' | 'reload'): Promise<NativeResult> {
  return runNative(POSTFIX, ['-c', paths.configDir, command]);
}

/** Copies resolv.conf, certificates and the like to where Debian's daemons see them, as its own start does. */
async function fillChroot(paths: Paths): Promise<void> {
  if (paths.root !== '' || !existsSync(CHROOT_SCRIPT)) return;
  await runNative(CHROOT_SCRIPT, ['-']);
}

/** The process in Postfix' pid file when it is a master(8), else null; a thirtieth of what `postfix status` costs. */
export async function masterPid(paths: Paths): Promise<number | null> {
  try {
    const pid = (await readFile(`${paths.queueDir}/pid/master.pid`, 'utf8')).trim();
    if (!/^\d+$/.test(pid)) return null;
    const command = (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
    return command === 'master' ? Number(pid) : null;
  } catch {
    return null;
  }
}
