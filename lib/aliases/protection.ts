/** Names that have to lead somewhere: mail about the mail itself, and what the machine's own programs write (RFC 5321 4.5.1). */
import type { End } from './local.js';
import { complete, lookUp, resolve, type World } from './resolve.js';

export const PROTECTED = ['postmaster', 'root'] as const;

/** Local domains under which they are looked at. */
const MAX_DOMAINS = 20;

/** Those whose mail reaches nobody. */
export async function lostNames(world: World): Promise<readonly string[]> {
  if (world.home === '') return [];
  const addresses = PROTECTED.flatMap((name) => [
    complete(name, world),
    ...world.domains.slice(0, MAX_DOMAINS).map((domain) => `${name}@${domain}`),
  ]);
  const known = await lookUp(addresses, world);
  const lost = addresses.filter((address) => {
    const { ends, endless } = resolve(address, known, world);
    const arrives = ({ ending }: End): boolean =>
      ending !== 'circle' && (ending !== 'unknown' || world.unknownToAdmin);
    return endless || !ends.some(arrives);
  });
  return PROTECTED.filter((name) => lost.some((address) => address.startsWith(`${name}@`)));
}
