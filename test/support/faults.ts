/** Ends or fails the helper at a chosen system call, by strace(1): nothing of it is in the helper itself. */
import { createProcessTransport } from '../../lib/client/process-transport.js';
import type { Patience } from '../../lib/client/patience.js';
import type { HelperTransport } from '../../lib/contract.js';
import type { Places } from '../../lib/launch/places.js';
import type { PostfixRoot } from './postfix-root.js';

export interface FaultPoint {
  /** What the helper is about to do, in words. */
  readonly name: string;
  readonly syscall: 'fsync' | 'link' | 'rename' | 'unlink' | 'openat' | 'statfs';
  /** Only calls that concern this path count. */
  readonly path: (places: Places) => string;
  /** Which of them: 1 is the first. */
  readonly when: number;
}

const inConfig = (name: string) => (places: Places) => `${places.configDir}/${name}`;
const inState = (name: string) => (places: Places) => `${places.stateDir}/${name}`;

/** All is checked by then, and nothing is written. */
export const ASKS_FOR_ROOM: FaultPoint = {
  name: 'ask whether the disk has room for the new main.cf',
  syscall: 'statfs',
  path: (places) => places.configDir,
  when: 1,
};

/** The steps of a save that changes main.cf, in their order (see `apply/journal.ts`). */
export const SAVE_POINTS: readonly FaultPoint[] = [
  {
    name: 'sync the new main.cf',
    syscall: 'fsync',
    path: inConfig('.main.cf.mailserver-new'),
    when: 1,
  },
  { name: 'keep the old main.cf', syscall: 'link', path: inConfig('main.cf'), when: 1 },
  {
    name: 'sync the folder of both',
    syscall: 'fsync',
    path: (places) => places.configDir,
    when: 1,
  },
  {
    name: 'sync the journal',
    syscall: 'fsync',
    path: inState('.journal.json.mailserver-new'),
    when: 1,
  },
  {
    name: 'open the journal',
    syscall: 'rename',
    path: inState('.journal.json.mailserver-new'),
    when: 1,
  },
  {
    name: 'sync the folder of the journal',
    syscall: 'fsync',
    path: (places) => places.stateDir,
    when: 1,
  },
  {
    name: 'put the new main.cf in place',
    syscall: 'rename',
    path: inConfig('.main.cf.mailserver-new'),
    when: 1,
  },
  {
    name: 'sync the folder of the new main.cf',
    syscall: 'fsync',
    path: (places) => places.configDir,
    when: 2,
  },
  {
    name: 'sync the new state',
    syscall: 'fsync',
    path: inState('.applied.json.mailserver-new'),
    when: 1,
  },
  {
    name: 'put the new state in place',
    syscall: 'rename',
    path: inState('.applied.json.mailserver-new'),
    when: 1,
  },
  {
    name: 'sync the folder of the new state',
    syscall: 'fsync',
    path: (places) => places.stateDir,
    when: 2,
  },
  {
    name: 'forget the old main.cf',
    syscall: 'unlink',
    path: inConfig('.main.cf.mailserver-old'),
    when: 2,
  },
  { name: 'close the journal', syscall: 'unlink', path: inState('journal.json'), when: 1 },
  { name: 'write the audit log', syscall: 'openat', path: inState('audit.log'), when: 2 },
];

/** The steps of the way back after a kill between the swap and the new state. */
export const RECOVERY_POINTS: readonly FaultPoint[] = [
  {
    name: 'put the old main.cf back',
    syscall: 'rename',
    path: inConfig('.main.cf.mailserver-old'),
    when: 1,
  },
  {
    name: 'sync the folder of the old main.cf',
    syscall: 'fsync',
    path: (places) => places.configDir,
    when: 1,
  },
  {
    name: 'close the journal after the way back',
    syscall: 'unlink',
    path: inState('journal.json'),
    when: 1,
  },
];

/** One that is stopped hangs: it is there, and does nothing any more. */
export type Fault =
  { readonly signal: 'KILL' | 'STOP' } | { readonly error: 'ENOSPC' | 'EIO' | 'EROFS' | 'EPERM' };

/** A helper that meets the fault when it comes to the point. */
export function faultyTransport(
  { places, enter }: PostfixRoot,
  point: FaultPoint,
  fault: Fault,
  patience?: Patience,
): HelperTransport {
  const effect = 'signal' in fault ? `signal=${fault.signal}` : `error=${fault.error}`;
  const strace = [
    ...['/usr/bin/strace', '--follow-forks', '--quiet=all', '--output=/dev/null'],
    // The threads of the helper alone, not the programs it starts. (With --seccomp-bpf strace 6.1 loses count.)
    '--detach-on=execve',
    // One worker thread: strace counts calls by thread.
    ...['--env=UV_THREADPOOL_SIZE=1', `--trace-path=${point.path(places)}`],
    `--inject=${point.syscall}:${effect}:when=${point.when}`,
  ];
  return createProcessTransport({
    root: places.root,
    enter: [...enter, ...strace],
    ...(patience ? { patience } : {}),
  });
}

/** A helper that is killed so many milliseconds after it started. */
export function shortLivedTransport(
  { places, enter }: PostfixRoot,
  lifeMs: number,
): HelperTransport {
  return createProcessTransport({
    root: places.root,
    enter,
    onStart: (pid) => {
      setTimeout(() => {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It was faster.
        }
      }, lifeMs);
    },
  });
}
