/**
 * The lock of a query. flock(2) belongs to the open file and not to a process: flock(1) takes it on a handle it inherits,
 * and we keep it for as long as the handle is open, here or in any program it was handed to. So it is held until the last
 * message is noted, and also by a fetchmail that outlives us.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';

const FLOCK = '/usr/bin/flock';
/** What flock(1) ends with when somebody else holds it (-E). */
const BUSY = 75;

export interface Lock {
  /** To be handed to a program that shares the lock. */
  readonly fd: number;
  release(): Promise<void>;
}

/** Null when somebody else holds it. */
export async function takeLock(file: string): Promise<Lock | null> {
  const handle = await open(file, 'a', 0o600);
  try {
    const args = ['-n', '-E', String(BUSY), '3'];
    const stdio = ['ignore', 'ignore', 'ignore', handle.fd] as const;
    const child = spawn(FLOCK, args, { stdio: [...stdio] });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code === 0) return { fd: handle.fd, release: () => handle.close() };
    if (code !== BUSY) throw new Error(`flock ended with ${code}`);
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return null;
}
