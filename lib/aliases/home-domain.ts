/** The local domain that bare names get when they become targets: a name alone could leave the machine. */
import { isAsciiDomain, isMailDomain } from '../domains/schema.js';
import { expand } from '../sections/expand.js';
import type { AllSettings, SystemView } from '../sections/section.js';

type Named = Pick<SystemView, 'parameter' | 'isSet'>;

/** Domains in `mydestination` that are plain names, with `$name` in them resolved (postconf(5)). */
export function staticDestinations(system: Pick<SystemView, 'parameter'>): readonly string[] {
  const elements = system.parameter('mydestination').split(/[\s,]+/);
  return elements
    .map((element) => expand(element, system).toLowerCase())
    .filter((element) => isAsciiDomain(element));
}

/**
 * The home domain; '' when there is no local domain at all. It stays what it was while that is still local, so that
 * another domain does not change the address under which mail reaches a groupware server; one that mail from elsewhere
 * could name is taken before the machine's own. While the local domains are not ours, one that is written out is taken
 * before one that goes with the server's name.
 */
export function homeDomain(all: AllSettings, system: Named, last: string | null): string {
  const domains = all['domains'] as { readonly names: readonly string[] } | undefined;
  const present = staticDestinations(underItsName(all, system));
  const written = staticDestinations({ parameter: unexpanded(system) });
  // `mydestination` may still show names that this very change takes away.
  const named = domains?.names ?? [...written, ...present];
  const own = named.filter((name) => !isLoopback(name));
  if (last !== null && own.includes(last)) return last;
  const first = own.find(isMailDomain) ?? own[0] ?? domains?.names[0];
  if (first !== undefined) return first;
  return present.includes('localhost') ? 'localhost' : (present.find(isLoopback) ?? '');
}

/** `$myhostname` as it will be when the settings are in force; nothing when a name of its own is about to go. */
function underItsName(all: AllSettings, system: Named): Pick<SystemView, 'parameter'> {
  const base = all['base'] as { readonly mailServerName: string } | undefined;
  if (base === undefined || (base.mailServerName === '' && !system.isSet('myhostname'))) {
    return system;
  }
  return {
    parameter: (name) => (name === 'myhostname' ? base.mailServerName : system.parameter(name)),
  };
}

/** `mydestination`, and no value for a `$name` in it. */
function unexpanded(system: Named): SystemView['parameter'] {
  return (name) => (name === 'mydestination' ? system.parameter(name) : '');
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name.startsWith('localhost.');
}
