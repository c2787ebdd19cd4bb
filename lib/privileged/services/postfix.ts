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
  /** That a command succeeded proves nothing, but one that failed need not be waited for. */
  const until = async (succeeded: boolean): Promise<boolean> => {
    if (!succeeded) return running();
    for (const end = Date.now() + START_LIMIT_MS; Date.now() < end; await sleep(50)) {
      if (await running()) return true;
    }
    return false;
  };
  return {
    running,
    start: async () => {
      if (await running()) return true;
      let succeeded = await supervise(paths, 'start');
      if (!(await running())) succeeded = await directly(paths, 'start');
      return until(succeeded);
    },
    reload: () => postfix(paths, 'reload'),
    restart: async () => {
      const before = await masterPid(paths);
      let succeeded = await supervise(paths, 'restart');
      if ((await masterPid(paths)) === before) succeeded = await directly(paths, 'restart');
      return until(succeeded);
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
 * Says whether the one that was asked said it went well.
 */
async function supervise(paths: Paths, verb: Verb): Promise<boolean> {
  switch (supervisorOf(paths)) {
    case 'systemd':
      return (await runNative('/usr/bin/systemctl', [verb, 'postfix.service'])).code === 0;
    case 'init':
      return (await runNative('/usr/sbin/service', ['postfix', verb])).code === 0;
    case 'direct':
      return directly(paths, verb);
  }
}

async function directly(paths: Paths, verb: Verb): Promise<boolean> {
  // Under systemd only its own unit may run the daemons: they would lack its limits, and it would not know them.
  if (supervisorOf(paths) === 'systemd') return false;
  if (verb !== 'start') await postfix(paths, 'stop');
  if (verb === 'stop') return true;
  await fillChroot(paths);
  return (await postfix(paths, 'start')).code === 0;
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
