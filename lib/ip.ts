/** What an address is, asked of the system's own parser. */
import { isIPv4, SocketAddress } from 'node:net';

/**
 * 4, 6, or 0 for what is no address; one with a zone (RFC 4007) is none either. `isIP` of node:net has a pattern for IPv6
 * that takes three milliseconds to be made, which every save would wait for.
 */
export function ipFamily(text: string): 0 | 4 | 6 {
  if (isIPv4(text)) return 4;
  if (!text.includes(':') || text.includes('%')) return 0;
  try {
    return new SocketAddress({ address: text, family: 'ipv6' }).family === 'ipv6' ? 6 : 0;
  } catch {
    return 0;
  }
}
