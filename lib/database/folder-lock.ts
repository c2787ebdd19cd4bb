/**
 * The lock on the database folder: two processes on one embedded database destroy it silently.
 *
 * Each contender has a listening unix socket of its own name in `<folder>.lock/`, which the kernel closes when the process
 * dies, however it dies. Whoever shows its socket looks at all the others afterwards: of two, at least the later one sees
 * the earlier one. Names are never used again, so a socket that refuses a connection is dead for good and may be removed.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, rename, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Contenders that started in the same instant step back and try again; a holder is found again each time. */
const ATTEMPTS = 8;
const STEP_BACK_MS = 60;

/** Prefix of a socket that is bound but perhaps does not listen yet. */
const UNFINISHED = '.new-';

export interface FolderLock {
  release(): Promise<void>;
}

/** Locks `folder` (which need not exist). Null when another living process holds it. */
export async function lockFolder(folder: string): Promise<FolderLock | null> {
  const lockFolder = `${folder}.lock`;
  await mkdir(lockFolder, { recursive: true, mode: 0o700 });
  // A socket address holds 107 bytes: go through the folder's descriptor, so that the folder's path may be longer.
  const descriptor = openSync(lockFolder, 'r');
  const near = (name: string) => join(`/proc/self/fd/${descriptor}`, name);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const name = `${process.pid}-${randomBytes(8).toString('hex')}`;
    const server = await listen(near(UNFINISHED + name));
    await rename(join(lockFolder, UNFINISHED + name), join(lockFolder, name));
    const release = async () => {
      await removeFile(join(lockFolder, name));
      await new Promise((resolve) => server.close(resolve));
    };
    if (!(await someoneElseLives(lockFolder, name, near))) {
      return {
        release: async () => {
          await release();
          closeSync(descriptor);
        },
      };
    }
    await release();
    if (attempt < ATTEMPTS) await sleep(STEP_BACK_MS * (0.5 + Math.random()));
  }
  closeSync(descriptor);
  return null;
}

async function someoneElseLives(
  lockFolder: string,
  own: string,
  near: (name: string) => string,
): Promise<boolean> {
  for (const name of await readdir(lockFolder)) {
    if (name === own || name.startsWith(UNFINISHED)) continue;
    if (await answers(near(name))) return true;
    await removeFile(join(lockFolder, name));
  }
  return false;
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** Whether a process listens there. Any doubt (no right to ask, full backlog) counts as yes. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
