/** The helper behind its unix socket, whether systemd or our own listener stands there. */
import net from 'node:net';
import type { HelperTransport } from '../contract.js';
import { exchange, failure } from './line-exchange.js';
import type { Patience } from './patience.js';
import { Spare } from './spare.js';

/** How long the socket has to take the connection, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;

export function createSocketTransport({
  path,
  patience,
}: {
  readonly path: string;
  /** For tests. */
  readonly patience?: Patience;
}): HelperTransport {
  const spare = new Spare(() => connect(path));
  return {
    request: async (action, params, options) => {
      const socket = spare.take(action) ?? (await connect(path));
      try {
        return await exchange(socket, socket, action, params, options, patience);
      } finally {
        socket.destroy();
      }
    },
    expect: (action) => spare.prepare(action),
  };
}

function connect(path: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path, allowHalfOpen: true });
    const refuse = (cause: Error): void => {
      socket.destroy();
      reject(failure('connect', 'helper.connect.refused', cause));
    };
    const late = (): void => refuse(new Error('no connection in time'));
    socket.setTimeout(CONNECT_TIMEOUT_MS, late);
    socket.once('error', refuse);
    socket.once('connect', () => {
      socket.setTimeout(0, late);
      socket.off('error', refuse);
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}
