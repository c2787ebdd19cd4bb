/** Who gets the mail of a query. Pure. */
import { splitAddress } from '../aliases/address.js';
import type { FetchQuery } from './schema.js';

/** Who gets the mail of a query that has no recipient of its own. Throws a `RangeError` where no domain is local. */
export function recipientsOf(query: FetchQuery, home: string): readonly string[] {
  const at = (name: string): string => {
    if (name.includes('@')) return name;
    if (home === '') throw new RangeError('no local domain');
    return `${name}@${home}`;
  };
  switch (query.destination) {
    case 'user':
      return query.users.map(at);
    case 'alias':
      return [at(query.alias)];
    case 'address':
      return [query.address];
    case 'multidrop':
      return (query.users.length === 0 ? ['postmaster'] : query.users).map(at);
  }
}

/**
 * Those of whom this machine can say whether they are there: nobody when any of them is elsewhere, or no domain is local.
 */
export function recipientsHere(
  query: FetchQuery,
  home: string,
  isLocal: (domain: string) => boolean,
): readonly string[] {
  if (home === '' && query.destination !== 'address') return [];
  const all = recipientsOf(query, home);
  const isHere = (address: string): boolean => {
    const { domain } = splitAddress(address);
    return domain !== null && (domain === home || isLocal(domain));
  };
  return all.every(isHere) ? all : [];
}
