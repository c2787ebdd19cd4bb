/** What a domain is to Postfix, and which parameter says so, in the order of trivial-rewrite(8). */
import { splitList } from '../../sections/elements.js';
import type { Rule } from '../../route/schema.js';
import type { Locality } from './expand.js';
import type { Tables } from './tables.js';

export type DomainClass = 'local' | 'virtualAlias' | 'virtualMailbox' | 'relay' | 'outside';

/** Parameters that list domains, in the order in which they are looked at. */
const CLASSES = [
  ['local', 'mydestination'],
  ['virtualAlias', 'virtual_alias_domains'],
  ['virtualMailbox', 'virtual_mailbox_domains'],
  ['relay', 'relay_domains'],
] as const;

export interface Domains extends Locality {
  classOf(domain: string): { readonly domainClass: DomainClass; readonly rule: Rule };
}

export function createDomains(tables: Tables, ownFolder: string): Domains {
  const known = new Map<string, { readonly domainClass: DomainClass; readonly rule: Rule }>();

  const look = async (domain: string) => {
    for (const [domainClass, parameter] of CLASSES) {
      for (const element of splitList(tables.parameter(parameter))) {
        if (await matches(element, domain, parameter)) {
          return { domainClass, rule: { parameter, table: element, key: domain } };
        }
      }
    }
    return { domainClass: 'outside' as const, rule: { parameter: '', table: '', key: '' } };
  };

  const matches = async (element: string, domain: string, parameter: string): Promise<boolean> => {
    if (element.toLowerCase() === domain) return true;
    if (element.includes(':') && !element.startsWith('[')) {
      return (await tables.askTable(element, [domain])).size > 0;
    }
    // relay_domains covers what is below its names, too (parent_domain_matches_subdomains).
    if (parameter !== 'relay_domains') return false;
    const parents = tables.parameter('parent_domain_matches_subdomains').split(/[\s,]+/);
    return parents.includes('relay_domains') && domain.endsWith(`.${element.toLowerCase()}`);
  };

  const outside = { domainClass: 'outside', rule: { parameter: '', table: '', key: '' } } as const;
  return {
    learn: async (addresses) => {
      for (const domain of new Set(addresses.map(domainOf))) {
        if (!known.has(domain)) known.set(domain, await look(domain));
      }
    },
    isLocal: (domain) => known.get(domain.toLowerCase())?.domainClass === 'local',
    isOurs: (table) => table.includes(`${ownFolder}/`),
    classOf: (domain) => known.get(domain.toLowerCase()) ?? outside,
  };
}

export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}
