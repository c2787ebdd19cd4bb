/**
 * Whether a domain's SPF record lets an address send (RFC 7208), as far as a check for administrators needs it.
 */
import ipaddr from 'ipaddr.js';
import { isIP } from 'node:net';

/** The DNS, as far as it is needed here. Each rejects with an error that has a `code`, as `node:dns` does. */
export interface DnsQueries {
  resolveTxt(name: string): Promise<readonly (readonly string[])[]>;
  resolveMx(name: string): Promise<readonly { exchange: string; priority: number }[]>;
  resolve4(name: string): Promise<readonly string[]>;
  resolve6(name: string): Promise<readonly string[]>;
  reverse(address: string): Promise<readonly string[]>;
}

export type SpfResult = 'pass' | 'fail' | 'softfail' | 'neutral' | 'none' | 'permerror';

/** Terms that cost a query; more are an error (RFC 7208, 4.6.4). */
const MAX_LOOKUPS = 10;

const QUALIFIERS: Readonly<Record<string, SpfResult>> = {
  '+': 'pass',
  '-': 'fail',
  '~': 'softfail',
  '?': 'neutral',
};
const TERM = /^([+\-~?]?)([a-z0-9]+)(?::([^/\s]*))?(\/[0-9/]+)?$/i;

class PermanentError extends Error {}

/** The SPF records of a domain; a right one has exactly one. */
export async function spfRecords(dns: DnsQueries, domain: string): Promise<readonly string[]> {
  const texts = (await orNothing(dns.resolveTxt(domain))).map((chunks) => chunks.join(''));
  return texts.filter((text) => /^v=spf1(?: |$)/i.test(text));
}

/** Rejects when the DNS cannot be asked. */
export async function checkSpf(
  dns: DnsQueries,
  domain: string,
  address: string,
): Promise<SpfResult> {
  try {
    return await evaluate(dns, domain, address, { left: MAX_LOOKUPS });
  } catch (error) {
    if (error instanceof PermanentError) return 'permerror';
    throw error;
  }
}

async function evaluate(
  dns: DnsQueries,
  domain: string,
  address: string,
  lookups: { left: number },
): Promise<SpfResult> {
  const records = await spfRecords(dns, domain);
  const [record] = records;
  if (record === undefined) return 'none';
  if (records.length > 1) throw new PermanentError();
  let redirect = '';
  for (const term of record.split(/ +/).slice(1).filter(Boolean)) {
    const modifier = /^([a-z][a-z0-9_.-]*)=(.*)$/i.exec(term);
    if (modifier) {
      if (modifier[1]?.toLowerCase() === 'redirect') redirect = modifier[2] ?? '';
      continue;
    }
    const result = await matchTerm(dns, term, domain, address, lookups);
    if (result !== null) return result;
  }
  if (redirect === '') return 'neutral';
  spend(lookups);
  const redirected = await evaluate(dns, plain(redirect), address, lookups);
  if (redirected === 'none') throw new PermanentError();
  return redirected;
}

/** The result of one mechanism; null when it does not match. */
async function matchTerm(
  dns: DnsQueries,
  term: string,
  domain: string,
  address: string,
  lookups: { left: number },
): Promise<SpfResult | null> {
  const network = /^([+\-~?]?)(?:ip4|ip6):(\S+)$/i.exec(term);
  if (network) {
    const range = network[2] ?? '';
    if (isIP(range.split('/')[0] ?? '') === 0) throw new PermanentError();
    return inside(address, range) ? qualified(network[1]) : null;
  }
  const match = TERM.exec(term);
  if (!match) throw new PermanentError();
  const [, qualifier, mechanism = '', argument, cidr = ''] = match;
  const target = argument === undefined || argument === '' ? domain : plain(argument);
  const matches = async (): Promise<boolean> => {
    switch (mechanism.toLowerCase()) {
      case 'all':
        return true;
      case 'a':
        spend(lookups);
        return await hostMatches(dns, target, address, cidr);
      case 'mx': {
        spend(lookups);
        const exchanges = await orNothing(dns.resolveMx(target));
        for (const { exchange } of exchanges) {
          if (await hostMatches(dns, exchange, address, cidr)) return true;
        }
        return false;
      }
      case 'include': {
        spend(lookups);
        const included = await evaluate(dns, target, address, lookups);
        if (included === 'none') throw new PermanentError();
        return included === 'pass';
      }
      case 'exists':
        spend(lookups);
        return (await orNothing(dns.resolve4(target))).length > 0;
      case 'ptr':
        spend(lookups);
        return (await orNothing(dns.reverse(address))).some(
          (name) => name === target || name.endsWith(`.${target}`),
        );
      default:
        throw new PermanentError();
    }
  };
  return (await matches()) ? qualified(qualifier) : null;
}

async function hostMatches(
  dns: DnsQueries,
  host: string,
  address: string,
  cidr: string,
): Promise<boolean> {
  const four = isIP(address) === 4;
  const addresses = await orNothing(four ? dns.resolve4(host) : dns.resolve6(host));
  const [, narrow = '', wide = ''] = /^(?:\/(\d+))?(?:\/\/(\d+))?$/.exec(cidr) ?? [];
  const bits = (four ? narrow : wide) || (four ? '32' : '128');
  return addresses.some((one) => inside(address, `${one}/${bits}`));
}

function inside(address: string, range: string): boolean {
  const [base = '', bits] = range.split('/');
  const [one, other] = [ipaddr.parse(address), ipaddr.parse(base)];
  if (one.kind() !== other.kind()) return false;
  const width = bits === undefined ? (one.kind() === 'ipv4' ? 32 : 128) : Number(bits);
  if (!Number.isInteger(width) || width < 0) throw new PermanentError();
  return one.match(other, width);
}

function qualified(sign: string | undefined): SpfResult {
  return QUALIFIERS[sign === undefined || sign === '' ? '+' : sign] ?? 'neutral';
}

/** Macros depend on the sender of one mail, so a check of a whole domain cannot follow them. */
function plain(target: string): string {
  if (target.includes('%')) throw new PermanentError();
  return target;
}

function spend(lookups: { left: number }): void {
  lookups.left -= 1;
  if (lookups.left < 0) throw new PermanentError();
}

/** An empty list where the DNS says that there is nothing; other failures go on. */
export async function orNothing<T>(query: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await query;
  } catch (error) {
    if (saysNothing(error)) return [];
    throw error;
  }
}

/** Whether the DNS answered that there is no such record, or no such name. */
export function saysNothing(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 'ENODATA' || code === 'ENOTFOUND';
}
