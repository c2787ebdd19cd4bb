/** Whether what `main.cf` says about scanning holds for whoever comes from outside: a service's own options say otherwise. */
import { SCAN_TRANSPORT } from '../../security/section.js';
import type { ConfigView } from '../postfix/config-view.js';
import { tcpListeners } from '../postfix/listeners.js';

/** By such an address mail comes back from filters, of whoever. */
const LOOPBACK = /^(?:127\.[\d.]+|::1|localhost)$/;

/** Names of the services, as `smtp/inet`, that take mail from outside and hand it to no scanner of ours. */
export function listenersPastScanners({
  master,
  parameter,
  port,
}: Pick<ConfigView, 'master' | 'parameter' | 'port'>): readonly string[] {
  return tcpListeners(master)
    .filter(({ host }) => host === null || !LOOPBACK.test(host))
    .map(({ entry }) => entry)
    .filter(({ line }) => {
      const filter = ownOption(line, 'content_filter');
      if (filter === null || filter.startsWith(`${SCAN_TRANSPORT}:`)) return false;
      const proxy = ownOption(line, 'smtpd_proxy_filter') ?? parameter('smtpd_proxy_filter');
      return proxy !== `127.0.0.1:${port('amavisProxy')}`;
    })
    .map(({ name }) => name);
}

/** What `-o` says last about a parameter; null where it says nothing. */
function ownOption(line: string, name: string): string | null {
  const found = [...line.matchAll(new RegExp(`-o ${name}=(\\S*)`, 'g'))];
  return found.at(-1)?.[1] ?? null;
}
