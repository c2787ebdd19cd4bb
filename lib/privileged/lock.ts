/** One writer at a time, by flock(2): the kernel releases it when we die, however we die. */
import { spawn } from 'node:child_process';
import { HelperError } from '../errors.js';
import { CLEAN_ENVIRONMENT } from './native.js';

/** How long a request waits for the one before it, in seconds. */
export const LOCK_WAIT_S = 60;

export interface Lock {
  release(): void;
}

/**
 * Takes the exclusive lock on `file`, waiting for at most `LOCK_WAIT_S`.
 * The lock lives in a flock(1) that ends with our pipe to it.
 */
export function takeLock(file: string): Promise<Lock> {
  return new Promise((resolve, reject) => {
    const holder = spawn('/usr/bin/flock', ['-x', '-w', String(LOCK_WAIT_S), file, '/bin/cat'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: CLEAN_ENVIRONMENT,
      cwd: '/',
    });
    const failed = (cause?: Error): void =>
      reject(
        new HelperError(
          {
            stage: 'run',
            key: 'helper.run.busy',
            values: { seconds: LOCK_WAIT_S },
            detail: '',
            restored: true,
          },
          { cause },
        ),
      );
    holder.once('error', failed);
    holder.once('exit', () => failed());
    holder.stdin.on('error', () => undefined);
    holder.stdout.once('data', () => resolve({ release: () => holder.stdin.end() }));
    holder.stdin.write('\n');
  });
}
