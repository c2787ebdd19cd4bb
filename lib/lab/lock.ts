/** One launcher at a time on a lab's folder. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { LaunchError } from '../launch/arguments.js';

/** A lab that is just being stopped, or whose npm was killed, gives its folder back within this time, in milliseconds. */
const WAIT_LIMIT_MS = 10_000;
const TRY_AGAIN_MS = 200;

/** Bytes of a socket's name (unix(7)); a full one means the same in every version of Node. */
const SOCKET_NAME_BYTES = 108;

/**
 * Holds the folder until the process ends, however it ends: the lock is a socket in the kernel's own name space, which
 * leaves nothing behind. Throws a `LaunchError` when another launcher holds it.
 */
export async function lockFolder(folder: string): Promise<Server> {
  const { dev, ino } = await stat(folder);
  const name = createHash('sha256').update(`${dev}:${ino}`).digest('hex');
  const socketName = `\0mailserver-lab-${name}`.padEnd(SOCKET_NAME_BYTES, '-');
  const deadline = Date.now() + WAIT_LIMIT_MS;
  for (;;) {
    const server = await listen(socketName);
    if (server) return server;
    if (Date.now() > deadline) throw new LaunchError(`a lab runs in ${folder} already`);
    await pause(TRY_AGAIN_MS);
  }
}

async function listen(name: string): Promise<Server | null> {
  const server = createServer((connection) => connection.destroy());
  server.unref();
  server.listen(name);
  try {
    await once(server, 'listening');
    return server;
  } catch {
    return null;
  }
}
