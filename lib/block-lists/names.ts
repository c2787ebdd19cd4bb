/** How an address is asked of a DNS block list, and what the answer means (RFC 5782). */
import ipaddr from 'ipaddr.js';

/** On every list (RFC 5782 section 5). */
export const ALWAYS_LISTED = { 4: '127.0.0.2', 6: '::ffff:7f00:2' } as const;
/** On none, or the list lists everybody. */
export const NEVER_LISTED = { 4: '127.0.0.1', 6: '::ffff:7f00:1' } as const;

/** The name to ask for: the bytes, or for IPv6 the nibbles, backwards, below the list's own. */
export function nameOf(address: string, zone: string): string {
  const parsed = ipaddr.parse(address);
  const bytes = parsed.toByteArray();
  const parts =
    parsed.kind() === 'ipv4'
      ? bytes.map(String)
      : bytes.flatMap((byte) => [...byte.toString(16).padStart(2, '0')]);
  return `${parts.toReversed().join('.')}.${zone}`;
}

/**
 * `refused`: the list does not answer us (127.255.255.x, as Spamhaus says to those who ask through a public resolver).
 * `foreign`: no answer of a block list at all, as of a domain that was given up and sold. Both say nothing about a client.
 */
export type Meaning = 'listed' | 'refused' | 'foreign';

export function meaningOf(answer: string): Meaning {
  if (answer.startsWith('127.255.255.')) return 'refused';
  return answer.startsWith('127.') && answer !== '127.0.0.1' ? 'listed' : 'foreign';
}
