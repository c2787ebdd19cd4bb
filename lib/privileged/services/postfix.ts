/** Starting, reloading and asking Postfix, whoever supervises it. Success is a behaviour, never an exit status. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runNative, type NativeResult } from '../native.js';
import type { Paths } from '../paths.js';
import { masterPid, waitForEnd, workersOf } from './processes.js';

const POSTFIX = '/usr/sbin/postfix';
const CHROOT_SCRIPT = '/usr/lib/postfix/configure-instance.sh';
/** How long Postfix has to come up, in milliseconds (a new queue takes 2.7 s). */
const START_LIMIT_MS = 30_000;
/** How long the idle processes with the old configuration may take to end, in milliseconds: moments, on a busy machine too. */
const RELOAD_LIMIT_MS = 2_000;

/** Who looks after the daemons of this machine. */
export type Supervisor = 'systemd' | 'init' | 'direct';

export function supervisorOf(paths: Paths): Supervisor {
  if (paths.root !== '') return 'direct';
  if (existsSync('/run/systemd/system')) return 'systemd';
  return existsSync('/etc/init.d/postfix') ? 'init' : 'direct';
}

/** What became of a start. */
export interface Attempt {
  readonly up: boolean;
  /** Who was asked to start it, last. */
  readonly service: string;
  /** What that said. */
  readonly said: string;
}

export interface PostfixService {
  running(): Promise<boolean>;
  /** Starts it when it is down; resolves when the master process is there. */
  start(): Promise<Attempt>;
  /** Resolves when no process that was idle goes on with the old configuration. */
  reload(): Promise<NativeResult>;
  restart(): Promise<Attempt>;
  /** Stops it when it runs; resolves when its master process is gone. */
  stop(): Promise<void>;
}

export function postfixService(paths: Paths): PostfixService {
  const running = async () => (await masterPid(paths)) !== null;
  /** That a command succeeded proves nothing, but one that failed need not be waited for. */
  const until = async ({ succeeded, service, said }: Answer): Promise<Attempt> => {
    const end = Date.now() + (succeeded ? START_LIMIT_MS : 0);
    let up = await running();
    for (; !up && Date.now() < end; up = await running()) await sleep(50);
    return { up, service, said };
  };
  return {
    running,
    start: async () => {
      if (await running()) return { up: true, service: '', said: '' };
      let answer = await supervise(paths, 'start');
      if (!(await running())) answer = await directly(paths, 'start', answer);
      return until(answer);
    },
    reload: async () => {
      const before = await workersOf(paths);
      const answer = await runNative(POSTFIX, ['-c', paths.configDir, 'reload']);
      if (answer.code === 0) await waitForEnd(paths, before, RELOAD_LIMIT_MS);
      return answer;
    },
    restart: async () => {
      const before = await masterPid(paths);
      let answer = await supervise(paths, 'restart');
      if ((await masterPid(paths)) === before) answer = await directly(paths, 'restart', answer);
      return until(answer);
    },
    stop: async () => {
      if (!(await running())) return;
      const answer = await supervise(paths, 'stop');
      if (await running()) await directly(paths, 'stop', answer);
    },
  };
}

type Verb = 'start' | 'restart' | 'stop';

/** Whether the one that was asked said it went well, who that was, and its words. */
interface Answer {
  readonly succeeded: boolean;
  readonly service: string;
  readonly said: string;
}

/**
 * Asks whoever looks after the daemons. Debian's init script does nothing, with success, for an instance that
 * multi-instance mode has not enabled, which is the normal case: so what follows looks whether anything happened.
 */
async function supervise(paths: Paths, verb: Verb): Promise<Answer> {
  switch (supervisorOf(paths)) {
    case 'systemd':
      return ask('/usr/bin/systemctl', [verb, 'postfix.service']);
    case 'init':
      return ask('/usr/sbin/service', ['postfix', verb]);
    case 'direct':
      return directly(paths, verb);
  }
}

async function directly(paths: Paths, verb: Verb, before?: Answer): Promise<Answer> {
  // Under systemd only its own unit may run the daemons: they would lack its limits, and it would not know them.
  if (before && supervisorOf(paths) === 'systemd') return { ...before, succeeded: false };
  const stop = ['-c', paths.configDir, 'stop'];
  if (verb === 'stop') return ask(POSTFIX, stop);
  if (verb === 'restart') await ask(POSTFIX, stop);
  await fillChroot(paths);
  return ask(POSTFIX, ['-c', paths.configDir, 'start']);
}

async function ask(program: string, args: readonly string[]): Promise<Answer> {
  const { code, stdout, stderr } = await runNative(program, args);
  const service = [path.basename(program), ...args].join(' ');
  return { succeeded: code === 0, service, said: `${stdout}${stderr}`.trim() };
}

/** Copies resolv.conf, certificates and the like to where Debian's daemons see them, as its own start does. */
async function fillChroot(paths: Paths): Promise<void> {
  if (paths.root !== '' || !existsSync(CHROOT_SCRIPT)) return;
  await runNative(CHROOT_SCRIPT, ['-']);
}
