/**
 * The only way out of a test appliance: an HTTP proxy on a unix socket that reaches Debian's archive and the npm
 * registry, and nothing else, so that no mail can leave.
 */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

const ARCHIVES = ['deb.debian.org', 'security.debian.org'];

export interface RegistryProxy {
  /** What was asked for in vain. */
  readonly refused: readonly string[];
  close(): void;
}

export async function startRegistryProxy(socket: string, registry: string): Promise<RegistryProxy> {
  const allowed = new Set([...ARCHIVES, new URL(registry).hostname]);
  const refused: string[] = [];
  const isAllowed = (host: string): boolean => {
    if (!allowed.has(host)) refused.push(host);
    return allowed.has(host);
  };
  const server = createServer((from, to) => {
    const url = new URL(from.url ?? '', 'http://none.invalid');
    if (isAllowed(url.hostname)) forward(url, from, to);
    else to.writeHead(403).end();
  });
  server.on('connect', (from: IncomingMessage, client: Socket) => {
    const url = new URL(`http://${from.url ?? ''}`);
    client.on('error', () => undefined);
    if (!isAllowed(url.hostname)) return client.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    const far = connect(Number(url.port || 443), url.hostname, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      client.pipe(far).pipe(client);
    });
    far.on('error', () => client.destroy());
    client.on('close', () => far.destroy());
    return undefined;
  });
  server.listen(socket);
  await once(server, 'listening');
  return {
    refused,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function forward(url: URL, from: IncomingMessage, to: ServerResponse): void {
  const { method, headers } = from;
  const far = request(url, { ...(method ? { method } : {}), headers }, (answer) => {
    to.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(to);
  });
  far.on('error', () => to.destroy());
  from.pipe(far);
}
