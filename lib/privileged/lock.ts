/** One writer at a time, by flock(2): the kernel releases it when we die, however we die. */
import { spawn } from 'node:child_process';
import { HelperError } from '../errors.js';
import { CLEAN_ENVIRONMENT } from './native.js';

/** How long a request waits for the one before it, in seconds. */
export const LOCK_WAIT_S = 60;

/** What flock(1) returns when the wait is over. */
const TIMED_OUT = 1;

export interface Lock {
  release(): void;
}

/**
 * Takes the exclusive lock on `file`, waiting for at most `waitS` seconds.
 * The lock lives in a flock(1) that ends with our pipe to it.
 */
export function takeLock(file: string, waitS = LOCK_WAIT_S): Promise<Lock> {
  return new Promise((resolve, reject) => {
    const failed = (key: string, detail: string, cause?: Error): HelperError => {
      const values = { seconds: waitS };
      return new HelperError({ stage: 'run', key, values, detail, restored: true }, { cause });
    };
    const holder = spawn('/usr/bin/flock', ['-x', '-w', String(waitS), file, '/bin/cat'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: CLEAN_ENVIRONMENT,
      cwd: '/',
    });
    let complaint = '';
    holder.stderr.on('data', (text: Buffer) => (complaint += text.toString()));
    holder.once('error', (cause) => reject(failed('helper.run.lock', cause.message, cause)));
    holder.once('close', (code) =>
      reject(failed(code === TIMED_OUT ? 'helper.run.busy' : 'helper.run.lock', complaint)),
    );
    holder.stdin.on('error', () => undefined);
    holder.stdout.once('data', () => resolve({ release: () => holder.stdin.end() }));
    holder.stdin.write('\n');
  });
}
