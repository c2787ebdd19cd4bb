/** The helper started directly, once per request: for tests and for root's own command line. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { HelperTransport } from '../contract.js';
import { exchange, failure } from './line-exchange.js';
import type { Patience } from './patience.js';

const PROGRAM = fileURLToPath(new URL('../privileged/main.js', import.meta.url));

export interface ProcessTransportOptions {
  /** A private root instead of the machine itself. */
  readonly root?: string;
  /** A command to put before it, such as the one that enters a lab's mount namespace. */
  readonly enter?: readonly string[];
  /** Told the pid of each helper that starts, for tests that end it. */
  readonly onStart?: (pid: number) => void;
  /** The helper's program file, where it is not the one of this build: that of a release, which starts sooner. */
  readonly program?: string;
  /** For tests. */
  readonly patience?: Patience;
}

export function createProcessTransport(options: ProcessTransportOptions = {}): HelperTransport {
  const [program = process.execPath, ...args] = [
    ...(options.enter ?? []),
    process.execPath,
    options.program ?? PROGRAM,
    ...(options.root ? ['--root', options.root] : []),
  ];
  return {
    request: async (action, params, call) => {
      const helper = spawn(program, args, {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
        cwd: '/',
      });
      await new Promise<void>((resolve, reject) => {
        helper.once('spawn', resolve);
        helper.once('error', (cause) =>
          reject(failure('connect', 'helper.connect.refused', cause)),
        );
      });
      if (helper.pid !== undefined) options.onStart?.(helper.pid);
      try {
        return await exchange(helper.stdout, helper.stdin, action, params, call, options.patience);
      } finally {
        helper.stdin.destroy();
        helper.stdout.destroy();
      }
    },
  };
}
