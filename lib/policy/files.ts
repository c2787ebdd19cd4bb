/** The files the policy servers are told by. Numbers, names and constants only: nothing in them is text of somebody's. */
import type { OwnFile } from '../sections/section.js';
import { POSTGREY_CLIENTS, PROBE_ADDRESS } from './places.js';
import { askedLists, type PolicySettings, type SpfUse } from './schema.js';

const HEADER = '# Written by the mailserver plugin; changes are overwritten.\n';
/** What the sender's server is told; people see it only when their server gives up. */
const GREYLIST_TEXT = 'Greylisted: please try again in a few minutes';
/** Where Debian keeps the clients that are known not to try again (package postgrey). */
const KNOWN_CLIENTS = [
  '/etc/postgrey/whitelist_clients',
  '/etc/postgrey/whitelist_clients.local',
] as const;
/** How long one answer may take in all, in seconds (policyd-spf.conf(5)). */
const SPF_LOOKUP_SECONDS = 10;

/** Options of postgrey(8). Its unit splits them at blanks; there are none in them. */
export function postgreyFile(settings: PolicySettings, port: number, root: string): OwnFile {
  const options = [
    `--inet=127.0.0.1:${port}`,
    `--delay=${settings.greylistDelay}`,
    `--max-age=${settings.greylistMemory}`,
    `--auto-whitelist-clients=${settings.greylistAutoAllow}`,
    `--ipv4cidr=${settings.greylistIpv4Prefix}`,
    `--ipv6cidr=${settings.greylistIpv6Prefix}`,
    ...[...KNOWN_CLIENTS, `${root}${POSTGREY_CLIENTS}`].map(
      (file) => `--whitelist-clients=${file}`,
    ),
  ];
  return {
    content: `${HEADER}POSTGREY_OPTS="${options.join(' ')}"\nPOSTGREY_TEXT="${GREYLIST_TEXT}"\n`,
    mode: 0o644,
  };
}

/** Exceptions never come this far: Postfix lets them in before it asks. */
export function postgreyClients(): OwnFile {
  return { content: `${HEADER}${PROBE_ADDRESS}\n`, mode: 0o644 };
}

/** Only a plain "fail" refuses: what cannot be found out, and what the domain itself is not sure of, is let in. */
export function spfFile(use: Exclude<SpfUse, 'off'>): OwnFile {
  const refuse = use === 'refuse' ? 'Fail' : 'False';
  const settings = {
    debugLevel: '1',
    TestOnly: '1',
    HELO_reject: refuse,
    Mail_From_reject: refuse,
    PermError_reject: 'False',
    TempError_Defer: 'False',
    Lookup_Time: String(SPF_LOOKUP_SECONDS),
    skip_addresses: `127.0.0.0/8,::ffff:127.0.0.0/104,::1,${PROBE_ADDRESS}`,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  return { content: HEADER + lines.join(''), mode: 0o644 };
}

/** What the service that asks block lists reads. */
export interface BlockListOrders {
  readonly port: number;
  readonly threshold: number;
  readonly lists: readonly { readonly zone: string; readonly weight: number }[];
}

export function blockListsFile(settings: PolicySettings, port: number): OwnFile {
  const orders: BlockListOrders = {
    port,
    threshold: settings.blockThreshold,
    lists: askedLists(settings).map(({ zone, weight }) => ({ zone, weight })),
  };
  return { content: `${JSON.stringify(orders, null, 2)}\n`, mode: 0o644 };
}
