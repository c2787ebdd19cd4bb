/**
 * A process that stands in another network namespace (`nsenter --net`) and pipes connections between a unix socket,
 * which both sides see, and a TCP port there. `out SOCKET PORT`: from the socket to the port. `in SOCKET PORT`: back.
 */
import { connect, createServer, type Socket } from 'node:net';

const [direction, path = '', port = ''] = process.argv.slice(2);
const tcp = { host: '127.0.0.1', port: Number(port) };
const [listen, target] = direction === 'out' ? [{ path }, tcp] : [tcp, { path }];

const server = createServer({ allowHalfOpen: true }, (near: Socket) => {
  const far = connect({ ...target, allowHalfOpen: true });
  const end = (): void => {
    near.destroy();
    far.destroy();
  };
  near.on('error', end).pipe(far).on('error', end).pipe(near);
});
server.listen(listen, () => process.stdout.write('ready\n'));
