/** Changes of the local domains as the history tells them. */
import type { Words } from '../words.js';
import { toUnicodeDomain } from './schema.js';

export function addedTitle(name: string): Words {
  return { key: 'domains.change.added', values: { domain: toUnicodeDomain(name) } };
}

export function removedTitle(names: readonly string[]): Words {
  const [only = ''] = names;
  return names.length === 1
    ? { key: 'domains.change.removed', values: { domain: toUnicodeDomain(only) } }
    : { key: 'domains.change.removedSeveral', values: { count: names.length } };
}

export function adoptedTitle(count: number): Words {
  return { key: 'domains.change.first', values: { count } };
}
