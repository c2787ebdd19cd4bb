/** Changes of the open relay subnets as the history tells them. */
import type { Words } from '../words.js';

export function addedTitle(network: string): Words {
  return { key: 'relay.change.added', values: { network } };
}

export function noteTitle(network: string): Words {
  return { key: 'relay.change.note', values: { network } };
}

export function removedTitle(networks: readonly string[]): Words {
  const [only = ''] = networks;
  return networks.length === 1
    ? { key: 'relay.change.removed', values: { network: only } }
    : { key: 'relay.change.removedSeveral', values: { count: networks.length } };
}

export function adoptedTitle(count: number): Words {
  return { key: 'relay.change.first', values: { count } };
}
