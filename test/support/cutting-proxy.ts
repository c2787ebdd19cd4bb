/** A line to a server that breaks: after so many bytes from the server, once or always. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

export interface CuttingProxy {
  readonly port: number;
  /** Lines that broke so far. */
  readonly cuts: number;
  stop(): void;
}

/** Cuts the first `times` connections after `bytes` of what the server says; later ones hold. */
export async function startCuttingProxy(
  port: number,
  bytes: number,
  times: number,
): Promise<CuttingProxy> {
  let cuts = 0;
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    near.on('error', end).on('close', end).pipe(far);
    far.on('error', end).on('close', end);
    let said = 0;
    far.on('data', (chunk: Buffer) => {
      said += chunk.length;
      if (cuts < times && said > bytes) {
        cuts += 1;
        end();
      } else {
        near.write(chunk);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get cuts() {
      return cuts;
    },
    stop: () => void server.close(),
  };
}
