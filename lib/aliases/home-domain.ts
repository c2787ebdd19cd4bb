/** The local domain that bare names get when they become targets: a name alone could leave the machine. */
import { isAsciiDomain } from '../domains/schema.js';
import { expand } from '../sections/expand.js';
import type { AllSettings, SystemView } from '../sections/section.js';

/** Domains in `mydestination` that are plain names, with `$name` in them resolved (postconf(5)). */
export function staticDestinations(system: Pick<SystemView, 'parameter'>): readonly string[] {
  const elements = system.parameter('mydestination').split(/[\s,]+/);
  return elements
    .map((element) => expand(element, system).toLowerCase())
    .filter((element) => isAsciiDomain(element));
}

/**
 * The home domain; '' when there is no local domain at all. It stays what it was while that is still local, so that
 * another domain does not change the address under which mail reaches a groupware server.
 */
export function homeDomain(
  all: AllSettings,
  system: Pick<SystemView, 'parameter'>,
  last: string | null,
): string {
  const domains = all['domains'] as { readonly names: readonly string[] } | undefined;
  const present = staticDestinations(system);
  // `mydestination` may still show names that this very change takes away.
  const own = domains?.names ?? present.filter((name) => !isLoopback(name));
  if (own.length > 0) return last !== null && own.includes(last) ? last : (own[0] ?? '');
  return present.includes('localhost') ? 'localhost' : (present.find(isLoopback) ?? '');
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name.startsWith('localhost.');
}
