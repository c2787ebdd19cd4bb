/**
 * What the DNS says about mail to and from a domain: MX, the server's reverse name, SPF, DKIM. Findings are keys and values.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { checkDkim, type Signing } from './dkim.js';
import { finding, type Finding } from './finding.js';
import { checkSpf, orNothing, saysNothing, spfRecords, type DnsQueries } from './spf.js';
import { toUnicodeDomain } from './schema.js';

/** What is asked about each domain, in the order in which it is shown. */
export const DNS_QUESTIONS = ['mx', 'ptr', 'spf', 'dkim'] as const;

export type DnsFindings = Readonly<Record<(typeof DNS_QUESTIONS)[number], Finding>>;

export interface CheckedServer {
  /** What it says in HELO. */
  readonly name: string;
  /** Addresses of its network interfaces. */
  readonly addresses: readonly string[];
  /** What it signs; null while that is not known. */
  readonly signing: Signing | null;
}

/** Names nobody outside can ask for (RFC 2606, 6761, 6762, 8375, and what routers hand out). */
const INTERNAL =
  /(?:^|\.)(?:local|localhost|localdomain|internal|intranet|lan|home|home\.arpa|test|invalid|example)$/;

/** Whether a name only means something inside one's own network. */
export function isInternalName(name: string): boolean {
  return !name.includes('.') || INTERNAL.test(name);
}

/** Asks the DNS. Never rejects: what cannot be asked is a finding, too. */
export async function checkDomain(
  dns: DnsQueries,
  domain: string,
  server: CheckedServer,
): Promise<DnsFindings> {
  if (isInternalName(domain)) {
    const internal = finding('off', 'domains.check.internal', { domain: toUnicodeDomain(domain) });
    return { mx: internal, ptr: internal, spf: internal, dkim: internal };
  }
  const asked = addressesOf(dns, server.name);
  const known = await settled(asked, []);
  const own = [...known, ...server.addresses];
  const [mx, ptr, spf, dkim] = await Promise.all([
    guarded(() => checkMx(dns, domain, server.name, own)),
    guarded(async () => checkPtr(dns, server.name, await asked)),
    guarded(() => checkSender(dns, domain, own.filter(isPublic))),
    guarded(() => checkDkim(dns, domain, server.signing)),
  ]);
  return { mx, ptr, spf, dkim };
}

async function checkMx(
  dns: DnsQueries,
  domain: string,
  serverName: string,
  own: readonly string[],
): Promise<Finding> {
  const shown = toUnicodeDomain(domain);
  let records: readonly { exchange: string; priority: number }[];
  try {
    records = await dns.resolveMx(domain);
  } catch (error) {
    if (!saysNothing(error)) throw error;
    const addresses = await addressesOf(dns, domain);
    if (addresses.some((address) => own.includes(address))) {
      return finding('ok', 'domains.check.mx.addressHere', { domain: shown });
    }
    return addresses.length > 0
      ? finding('warn', 'domains.check.mx.addressElsewhere', {
          domain: shown,
          address: addresses.join(', '),
        })
      : finding('bad', 'domains.check.mx.none', { domain: shown });
  }
  const hosts = records
    .toSorted((a, b) => a.priority - b.priority)
    .map(({ exchange }) => exchange.toLowerCase().replace(/\.$/, ''));
  const [best = ''] = hosts;
  if (best === '') return finding('bad', 'domains.check.mx.null', { domain: shown });
  const addresses = await Promise.all(hosts.map((host) => addressesOf(dns, host)));
  const here = hosts.findIndex(
    (host, index) =>
      host === serverName || (addresses[index] ?? []).some((address) => own.includes(address)),
  );
  const values = { domain: shown, host: toUnicodeDomain(best) };
  if ((addresses[0] ?? []).length === 0) return finding('bad', 'domains.check.mx.dead', values);
  if (here === 0) return finding('ok', 'domains.check.mx.here', values);
  return finding(
    'warn',
    here > 0 ? 'domains.check.mx.second' : 'domains.check.mx.elsewhere',
    values,
  );
}

async function checkPtr(
  dns: DnsQueries,
  serverName: string,
  addresses: readonly string[],
): Promise<Finding> {
  const name = toUnicodeDomain(serverName);
  const outside = addresses.filter(isPublic);
  const [address] = outside;
  if (address === undefined) {
    return addresses.length === 0
      ? finding('bad', 'domains.check.ptr.unknownName', { name })
      : finding('off', 'domains.check.ptr.private', { name, address: addresses.join(', ') });
  }
  for (const one of outside) {
    const names = (await orNothing(dns.reverse(one))).map((answer) => answer.toLowerCase());
    if (names.length === 0) return finding('bad', 'domains.check.ptr.none', { name, address: one });
    if (!names.includes(serverName)) {
      const values = { name, address: one, other: names.join(', ') };
      return finding('warn', 'domains.check.ptr.other', values);
    }
  }
  return finding('ok', 'domains.check.ptr.same', { name, address });
}

async function checkSender(
  dns: DnsQueries,
  domain: string,
  addresses: readonly string[],
): Promise<Finding> {
  const shown = toUnicodeDomain(domain);
  const records = await spfRecords(dns, domain);
  if (records.length === 0) return finding('warn', 'domains.check.spf.none', { domain: shown });
  if (records.length > 1) return finding('bad', 'domains.check.spf.several', { domain: shown });
  const [address] = addresses;
  if (address === undefined)
    return finding('off', 'domains.check.spf.noAddress', { domain: shown });
  const values = { domain: shown, address };
  switch (await checkSpf(dns, domain, address)) {
    case 'pass':
      return finding('ok', 'domains.check.spf.pass', values);
    case 'fail':
      return finding('bad', 'domains.check.spf.fail', values);
    case 'permerror':
      return finding('bad', 'domains.check.spf.broken', values);
    case 'softfail':
    case 'neutral':
    case 'none':
      return finding('warn', 'domains.check.spf.doubtful', values);
  }
}

async function addressesOf(dns: DnsQueries, host: string): Promise<readonly string[]> {
  if (host === '' || isIP(host) !== 0) return [];
  const [four, six] = await Promise.all([
    orNothing(dns.resolve4(host)),
    orNothing(dns.resolve6(host)),
  ]);
  return [...four, ...six];
}

/** Whether the address is one that others on the internet can see. */
function isPublic(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast';
}

async function guarded(check: () => Promise<Finding>): Promise<Finding> {
  try {
    return await check();
  } catch (error) {
    const { code } = error as { code?: unknown };
    const reason = typeof code === 'string' ? code : 'unknown';
    return finding('off', 'domains.check.noAnswer', { reason });
  }
}

async function settled<T>(query: Promise<T>, fallback: T): Promise<T> {
  try {
    return await query;
  } catch {
    return fallback;
  }
}
