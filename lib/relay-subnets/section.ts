/** Open relay subnets: the plain networks of `mynetworks`. Tables, files and exclusions there keep their place. */
import type { Section, SystemView, Unclear } from '../sections/section.js';
import {
  containsNetwork,
  formatElement,
  formatNetwork,
  kindOf,
  parseElement,
  parseNetwork,
  refusalOf,
  sameNetwork,
  type Network,
} from './network.js';
import { relaySchema, type RelaySettings } from './schema.js';

export const relaySection: Section<RelaySettings> = {
  id: 'relay',
  schema: relaySchema,
  owns: { parameters: [], lists: ['mynetworks'], master: [], tables: [], files: [] },

  render({ networks }, system) {
    const present = elementsOf(system);
    const entries = networks.flatMap(networkOf).map((network) => {
      // As it is written already, if it is: `192.168.1.5/32` stays what it is.
      const written = present.find((one) => one.network && sameNetwork(one.network, network));
      return { slot: 'relay', value: written?.element ?? formatElement(network) };
    });
    return { lists: { mynetworks: entries } };
  },

  read(system) {
    const networks: string[] = [];
    const unclear: Unclear[] = [];
    for (const { element, network } of elementsOf(system)) {
      const refusal = network && refusalOf(network);
      if (network && refusal === null) networks.push(formatNetwork(network));
      else if (!isMapped(element)) unclear.push(unclearElement(element, refusal));
    }
    return { settings: { networks: [...new Set(networks)] }, unclear };
  },

  refuses(before, after) {
    const kept = after.networks.flatMap(networkOf);
    const lost = (before?.networks ?? [])
      .filter(isLoopback)
      .flatMap(networkOf)
      .some((own) => !kept.some((network) => containsNetwork(network, own)));
    return lost ? { field: 'network', key: 'relay.problem.loopback' } : null;
  },

  claims: (list, element) => list === 'mynetworks' && parseElement(element) !== null,
};

function networkOf(text: string): Network[] {
  const parsed = parseNetwork(text);
  return 'network' in parsed ? [parsed.network] : [];
}

interface Element {
  readonly element: string;
  readonly network: Network | null;
}

function elementsOf(system: SystemView): readonly Element[] {
  return system
    .parameter('mynetworks')
    .split(/[\s,]+/)
    .filter((element) => element !== '')
    .map((element) => ({ element, network: parseElement(element) }));
}

/** An IPv4-mapped form, which has no effect. */
function isMapped(element: string): boolean {
  return /^\[?::ffff:/i.test(element);
}

function unclearElement(value: string, refusal: ReturnType<typeof refusalOf>): Unclear {
  const key = refusal === null ? 'relay.unclear.element' : `relay.unclear.${refusal}`;
  return { parameter: 'mynetworks', value, key };
}

/** Whether it is this machine itself, which must always be able to send. */
export function isLoopback(text: string): boolean {
  return networkOf(text).some((network) => kindOf(network) === 'loopback');
}
