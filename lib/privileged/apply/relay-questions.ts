/** Whether a change touches who may send through this server, and whom to ask about it then. */
import { firstMachine, parseNetwork } from '../../relay-subnets/network.js';
import type { RelaySettings } from '../../relay-subnets/schema.js';
import { relaySection } from '../../relay-subnets/section.js';
import type { Plan } from './plan.js';
import type { Friend, RelayQuestions } from './prove.js';

/** How many new networks are tried. */
const MAX_FRIENDS = 3;

/** Parameters that decide who may relay (SMTPD_ACCESS_README). */
const DECIDING = new Set([
  'mynetworks',
  'mynetworks_style',
  'relay_domains',
  'smtpd_client_restrictions',
  'smtpd_delay_reject',
  'smtpd_helo_restrictions',
  'smtpd_recipient_restrictions',
  'smtpd_relay_restrictions',
  'smtpd_sender_restrictions',
]);

export function relayQuestions({ parameters, options, touched, settings }: Plan): RelayQuestions {
  const relay = touched.find(({ section }) => section.id === relaySection.id);
  const names = [
    ...parameters.keys(),
    ...[...options.keys()].map((name) => name.split('/').at(-1)),
  ];
  const thorough = relay !== undefined || names.some((name) => DECIDING.has(name ?? ''));
  if (!relay) return { thorough, friends: [] };
  const before = new Set((relay.before as RelaySettings).networks);
  const now = (settings[relaySection.id] as RelaySettings).networks;
  return {
    thorough,
    friends: now
      .filter((one) => !before.has(one))
      .slice(0, MAX_FRIENDS)
      .map(friend),
  };
}

function friend(network: string): Friend {
  const parsed = parseNetwork(network);
  return { network, address: 'network' in parsed ? firstMachine(parsed.network) : network };
}
