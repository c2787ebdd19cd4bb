/** A port that somebody else holds ends master(8) when it is told to listen there, and all mail with it. So it is tried first. */
import net from 'node:net';
import { HelperError } from '../../errors.js';
import { hasCode } from '../files.js';
import type { ConfigView } from '../postfix/config-view.js';
import { reachableHost, tcpListeners } from '../postfix/listeners.js';

/** Throws at stage `check` when a listener that is new in `after` could not be opened. */
export async function checkNewPorts(before: ConfigView, after: ConfigView): Promise<void> {
  const known = new Set(tcpListeners(before.master).map(({ port }) => port));
  for (const listener of tcpListeners(after.master)) {
    const { entry, port } = listener;
    if (known.has(port)) continue;
    const everywhere = !entry.name.includes(':') && after.parameter('inet_interfaces') === 'all';
    const host = everywhere ? undefined : reachableHost(listener, after);
    if (!(await isFree(host, port))) throw taken(port);
  }
}

function isFree(host: string | undefined, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (error) => {
      if (hasCode(error, 'EADDRINUSE')) resolve(false);
      else reject(error);
    });
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () =>
      server.close(() => resolve(true)),
    );
  });
}

function taken(port: number): HelperError {
  const key = 'helper.check.portTaken';
  return new HelperError({ stage: 'check', key, values: { port }, detail: '', restored: true });
}
