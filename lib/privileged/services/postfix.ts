/** Starting, reloading and asking Postfix, whoever supervises it. Success is a behaviour, never an exit status. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { runNative, type NativeResult } from '../native.js';
import type { Paths } from '../paths.js';

const POSTFIX = '/usr/sbin/postfix';
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
  const postfix = (command: string) => runNative(POSTFIX, ['-c', paths.configDir, command]);
  const running = async () => (await masterPid(paths)) !== null;
  const command = (verb: 'start' | 'restart' | 'stop'): Promise<NativeResult> => {
    switch (supervisorOf(paths)) {
      case 'systemd':
        return runNative('/usr/bin/systemctl', [verb, 'postfix.service']);
      case 'init':
        return runNative('/usr/sbin/service', ['postfix', verb]);
      case 'direct':
        return verb === 'restart' ? postfix('stop').then(() => postfix('start')) : postfix(verb);
    }
  };
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
      await command('start');
      return until();
    },
    reload: () => postfix('reload'),
    restart: async () => {
      await command('restart');
      return until();
    },
    stop: async () => {
      if (await running()) await command('stop');
    },
  };
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
