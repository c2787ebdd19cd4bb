/** Networks and single addresses, v4 and v6: what somebody typed, what Postfix writes, and what each of them means. */
import { ipFamily } from '../ip.js';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A network, or a single machine when `prefix` has all bits. Never with host bits set, never IPv4-mapped. */
export interface Network {
  readonly family: 4 | 6;
  /** In its canonical form (RFC 5952). */
  readonly address: string;
  readonly prefix: number;
}

/** Who the addresses of a network belong to. `unusable`: no machine sends from there. */
export type NetworkKind =
  'loopback' | 'private' | 'linkLocal' | 'shared' | 'documentation' | 'public' | 'unusable';

export type Parsed =
  | { readonly network: Network }
  | {
      readonly fault: 'shape' | 'prefix' | 'hostBits';
      /** What was probably meant, in the form in which it can be typed. */
      readonly suggestions: readonly string[];
    };

/** Most specific first is not needed: none of them overlap (IANA special-purpose registries, RFC 6890). */
const SPECIAL: readonly (readonly [NetworkKind, readonly string[]])[] = [
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']],
  ['linkLocal', ['169.254.0.0/16', 'fe80::/10']],
  ['shared', ['100.64.0.0/10']],
  [
    'documentation',
    ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20'],
  ],
  ['unusable', ['0.0.0.0/8', '224.0.0.0/3', '::/8', 'ff00::/8']],
];

/** Shorter prefixes are “very wide”: more than 65,536 machines, or more than one site (RFC 6177). */
const WIDE_BELOW = { 4: 16, 6: 48 } as const;
/** Shorter prefixes of public addresses are refused: nobody owns that much. */
const WIDEST_PUBLIC = { 4: 8, 6: 16 } as const;

const BITS = { 4: 32, 6: 128 } as const;
/** The first bits of an IPv4-mapped address (RFC 4291 2.5.5.2). */
const MAPPED_PREFIX = 96;

/**
 * Reads an address, a network in CIDR form or with a netmask; IPv6 with or without brackets. IPv4-mapped forms become
 * the IPv4 network they stand for.
 */
export function parseNetwork(typed: string): Parsed {
  const match = /^(\[?)([0-9a-f.:]+)(\]?)(?:\/([0-9.]{1,15}))?$/i.exec(typed);
  const [, open, literal = '', close, suffix] = match ?? [];
  if (ipFamily(literal) === 0 || (open === '[') !== (close === ']')) return fault('shape');
  const parsed = ipaddr.parse(literal);
  const bits = BITS[familyOf(parsed)];
  const prefix = suffix === undefined ? bits : prefixOf(suffix, bits);
  if (prefix === null) return fault('prefix', [literal]);
  if (parsed.kind() === 'ipv6' && (parsed as ipaddr.IPv6).isIPv4MappedAddress()) {
    if (prefix < MAPPED_PREFIX) return fault('prefix');
    return withoutHostBits((parsed as ipaddr.IPv6).toIPv4Address(), prefix - MAPPED_PREFIX);
  }
  return withoutHostBits(parsed, prefix);
}

function withoutHostBits(address: Address, prefix: number): Parsed {
  const network = maskedTo(address, prefix);
  if (network.address === textOf(address)) return { network };
  return fault('hostBits', [formatNetwork(network), textOf(address)]);
}

function fault(kind: 'shape' | 'prefix' | 'hostBits', suggestions: readonly string[] = []): Parsed {
  return { fault: kind, suggestions };
}

/** `24`, or for IPv4 `255.255.255.0`; null when it is neither. */
function prefixOf(suffix: string, bits: number): number | null {
  if (/^(?:0|[1-9]\d{0,2})$/.test(suffix)) return Number(suffix) <= bits ? Number(suffix) : null;
  if (bits !== BITS[4] || ipFamily(suffix) !== 4) return null;
  return ipaddr.IPv4.parse(suffix).prefixLengthFromSubnetMask();
}

function maskedTo(address: Address, prefix: number): Network {
  const bytes = address.toByteArray().map((byte, index) => {
    const kept = Math.min(8, Math.max(0, prefix - index * 8));
    return byte & (0xff << (8 - kept)) & 0xff;
  });
  return {
    family: familyOf(address),
    address: textOf(ipaddr.fromByteArray(bytes)),
    prefix,
  };
}

function familyOf(address: Address): 4 | 6 {
  return address.kind() === 'ipv4' ? 4 : 6;
}

function textOf(address: Address): string {
  return address.kind() === 'ipv4'
    ? address.toString()
    : (address as ipaddr.IPv6).toRFC5952String();
}

/** As people read and type it: a single machine has no prefix. */
export function formatNetwork({ family, address, prefix }: Network): string {
  return prefix === BITS[family] ? address : `${address}/${prefix}`;
}

/** As Postfix wants it in `mynetworks`: IPv6 in brackets, or the colon would name a table (postconf(5)). */
export function formatElement({ family, address, prefix }: Network): string {
  const host = family === 6 ? `[${address}]` : address;
  return prefix === BITS[family] ? host : `${host}/${prefix}`;
}

/**
 * An element of `mynetworks` as a network; null for everything else (tables, files, exclusions, host bits) and for
 * IPv4-mapped forms, which Postfix never compares with anything: it takes the mapping off a client's address first.
 */
export function parseElement(element: string): Network | null {
  if (/^\[?::ffff:/i.test(element)) return null;
  const parsed = parseNetwork(element);
  return 'network' in parsed ? parsed.network : null;
}

export function sameNetwork(left: Network, right: Network): boolean {
  return left.address === right.address && left.prefix === right.prefix;
}

/** Whether every address of `inner` is one of `outer` too. */
export function containsNetwork(outer: Network, inner: Network): boolean {
  if (outer.family !== inner.family || outer.prefix > inner.prefix) return false;
  return maskedTo(ipaddr.parse(inner.address), outer.prefix).address === outer.address;
}

export function kindOf(network: Network): NetworkKind {
  const special = SPECIAL.find(([, ranges]) =>
    ranges.some((range) => {
      const parsed = parseNetwork(range);
      return 'network' in parsed && containsNetwork(parsed.network, network);
    }),
  );
  return special?.[0] ?? 'public';
}

/** How many addresses it has. */
export function sizeOf({ family, prefix }: Network): bigint {
  return 2n ** BigInt(BITS[family] - prefix);
}

/** Why it is never let in, as the end of a translation key; null when it may be. */
export function refusalOf(network: Network): 'everyone' | 'tooWide' | 'unusable' | null {
  if (network.prefix === 0) return 'everyone';
  const kind = kindOf(network);
  if (kind === 'unusable') return 'unusable';
  const belongsToOthers = kind === 'public' || kind === 'documentation';
  return belongsToOthers && network.prefix < WIDEST_PUBLIC[network.family] ? 'tooWide' : null;
}

/** Why somebody has to say yes twice, as the end of a translation key; null when once is enough. */
export function concernOf(network: Network): 'public' | 'wide' | null {
  const kind = kindOf(network);
  if (kind === 'loopback') return null;
  if (kind === 'public' || kind === 'documentation' || kind === 'shared') return 'public';
  return network.prefix < WIDE_BELOW[network.family] ? 'wide' : null;
}

/** The first address a machine in it can have, to try whether it may send. */
export function firstMachine(network: Network): string {
  if (network.prefix >= BITS[network.family] - 1) return network.address;
  const bytes = ipaddr.parse(network.address).toByteArray();
  return textOf(ipaddr.fromByteArray([...bytes.slice(0, -1), (bytes.at(-1) ?? 0) + 1]));
}

/** In the order of their addresses, IPv4 first, the wider one before what lies in it. */
export function compareNetworks(left: Network, right: Network): number {
  const bytes = ({ address }: Network) => ipaddr.parse(address).toByteArray();
  const [a, b] = [bytes(left), bytes(right)];
  const at = a.findIndex((byte, index) => byte !== b[index]);
  if (left.family !== right.family) return left.family - right.family;
  return at < 0 ? left.prefix - right.prefix : (a[at] ?? 0) - (b[at] ?? 0);
}
