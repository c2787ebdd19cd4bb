/** Our part of SpamAssassin's configuration (Mail::SpamAssassin::Conf): words of a grammar, one option a line. */
import type { SecuritySettings } from './schema.js';

/** Networks, and addresses of single machines. */
const NETWORK = /^[0-9a-f.:]+(?:\/\d{1,3})?$/;

/** By default it would be fifteen. Those that answer do so within a second. */
const LISTS_ANSWER_SECONDS = 5;

/** It says so when these are named. */
const ALWAYS_TRUSTED = new Set(['127.0.0.0/8', '::1']);

/** `networks` are ours: who is in them is believed, like the servers the settings name. */
export function renderSpamAssassin(
  { trustedServers, scripts }: SecuritySettings,
  networks: readonly string[],
): string {
  const own = networks.filter((network) => !ALWAYS_TRUSTED.has(network));
  const trusted = [...new Set([...own, ...trustedServers])];
  const strange = trusted.find((network) => !NETWORK.test(network));
  if (strange !== undefined) throw new RangeError(`not a network: ${JSON.stringify(strange)}`);
  return [
    '# Written by the mailserver plugin; changes are overwritten.',
    'clear_trusted_networks',
    ...trusted.map((network) => `trusted_networks ${network}`),
    'clear_internal_networks',
    ...own.map((network) => `internal_networks ${network}`),
    // A list that does not answer holds a mail up for as long, and with it all that wait behind.
    `rbl_timeout ${LISTS_ANSWER_SECONDS}`,
    `ok_locales ${scripts === 'latin' ? 'en' : 'all'}`,
    '',
  ].join('\n');
}
