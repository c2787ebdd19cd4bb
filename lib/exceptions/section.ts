/**
 * Exceptions: who is never refused as a stranger (access(5), cidr_table(5)).
 *
 * One restriction class, asked before the other restrictions on clients and before the policy servers, so that postgrey,
 * SPF and block lists never hear of who stands here. It says OK in lists that decide about strangers and never in
 * `smtpd_relay_restrictions`; in `smtpd_recipient_restrictions` it stands behind everything that is there, and so behind
 * `reject_unauth_destination` of configurations that still have it there. An exception can open no relay.
 */
import { EXCEPTIONS_CLASS } from '../policy/order.js';
import type { Section, SystemView } from '../sections/section.js';
import {
  exceptionLists,
  exceptionsSchema,
  NO_EXCEPTIONS,
  type ExceptionSettings,
} from './schema.js';

export const CLIENT_TABLE = 'exceptions-clients';
export const SENDER_TABLE = 'exceptions-senders';

export const exceptionsSection: Section<ExceptionSettings> = {
  id: 'exceptions',
  schema: exceptionsSchema,
  owns: {
    parameters: [EXCEPTIONS_CLASS],
    lists: [
      'smtpd_restriction_classes',
      'smtpd_client_restrictions',
      'smtpd_recipient_restrictions',
    ],
    master: [],
    tables: [CLIENT_TABLE, SENDER_TABLE],
    files: [],
  },

  render(settings, system) {
    const { domains, addresses, ips, networks } = exceptionLists(settings);
    const senders = [...domains, ...addresses];
    const questions = [
      ...(networks.length > 0 ? [`check_client_access ${inline(networks)}`] : []),
      ...(ips.length > 0 ? [`check_client_access ${table(CLIENT_TABLE, system)}`] : []),
      ...(senders.length > 0 ? [`check_sender_access ${table(SENDER_TABLE, system)}`] : []),
    ];
    const ours = questions.length > 0 ? [{ slot: 'exceptions', value: EXCEPTIONS_CLASS }] : [];
    return {
      parameters: { [EXCEPTIONS_CLASS]: questions.length > 0 ? questions.join(', ') : null },
      lists: {
        smtpd_restriction_classes: ours,
        smtpd_client_restrictions: ours,
        smtpd_recipient_restrictions: ours,
      },
      tables: {
        ...(ips.length > 0 ? { [CLIENT_TABLE]: tableOf(ips) } : {}),
        ...(senders.length > 0 ? { [SENDER_TABLE]: tableOf(senders) } : {}),
      },
    };
  },

  /** A table can be asked, not listed; what was saved is known without. */
  read: () => ({ settings: NO_EXCEPTIONS, unclear: [] }),
};

/** Networks of any length have no form in a lookup table by key; inside main.cf a reload shows them (Postfix 3.7). */
function inline(networks: readonly string[]): string {
  return `cidr:{${networks.map((network) => `{${network} OK}`).join(', ')}}`;
}

function table(name: string, { paths }: SystemView): string {
  return `lmdb:${paths.configDir}/mailserver.d/${name}`;
}

function tableOf(keys: readonly string[]) {
  return { entries: keys.map((key) => [key, 'OK'] as const), secret: false };
}
