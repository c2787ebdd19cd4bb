/**
 * Recipients: the lookup table of all users with a mailbox, where Postfix cannot ask the system for them. Who refuses
 * unknown recipients, catches their mail or hands over to an LMTP server reads it: the base configuration and the aliases.
 */
import type { BaseSettings } from '../base/schema.js';
import type { AllSettings, Section, SectionContents, SystemView } from '../sections/section.js';
import { isRecipientEntry, recipientSettingsSchema, type RecipientSettings } from './schema.js';

/** Also what stands in `mailserver.d/`. */
export const RECIPIENT_TABLE = 'recipients';

const NSS = 'unix:passwd.byname';

/** Programs of the machine write to it wherever people's mailboxes are. */
const ROOT = 'inline:{root=root}';

/**
 * How far a user's further addresses lead to the mailbox. local(8) knows logins alone; an LMTP server is given the whole
 * address. Where unknown recipients go to the mail admin, local(8) decides by the local part who is unknown.
 */
type Reach = 'logins' | 'addresses' | 'localParts';

/** The entries are logins, addresses of users, and local parts of these; the value is the login. */
const contents: SectionContents = {
  accepts: isRecipientEntry,
  context: reachOf,
  render: (name, login, reach) => {
    const there = typeof login === 'string' && isReached(name, login, reach as Reach);
    return [{ table: RECIPIENT_TABLE, key: name, value: there ? login : null }];
  },
};

export const recipientsSection: Section<RecipientSettings> = {
  id: 'recipients',
  schema: recipientSettingsSchema,
  owns: { parameters: [], lists: [], master: [], tables: [RECIPIENT_TABLE], files: [] },
  contents,
  render: () => ({}),
  read: () => ({ settings: { kind: 'nss' }, unclear: [] }),
};

/** Whether a table follows the directory. */
export function recipientsInTable(all: AllSettings): boolean {
  return (all['recipients'] as RecipientSettings | undefined)?.kind === 'table';
}

export function recipientMap({ paths }: Pick<SystemView, 'paths'>): string {
  return `lmdb:${paths.configDir}/mailserver.d/${RECIPIENT_TABLE}`;
}

/**
 * For `local_recipient_maps`: whom mail is taken for. local(8) stores it for users of the system alone, so there both have
 * to know them, or mail would be taken and come back. Served by proxymap(8): smtpd may be in a chroot without users.
 */
export function knownRecipients(system: SystemView, delivery: BaseSettings['delivery']): string {
  const table = recipientMap(system);
  const known = delivery === 'lmtp' ? table : `proxy:pipemap:{${table},${NSS}}`;
  return `${known} ${ROOT} $alias_maps`;
}

/** Whether such a table decides whom mail is taken for. */
export function readsRecipientTable(localRecipientMaps: string): boolean {
  return localRecipientMaps.includes(`/mailserver.d/${RECIPIENT_TABLE}`);
}

function reachOf(all: AllSettings): Reach {
  const base = all['base'] as BaseSettings | undefined;
  if (base?.delivery !== 'lmtp') return 'logins';
  return base.unknownRecipient === 'admin' ? 'localParts' : 'addresses';
}

function isReached(name: string, login: string, reach: Reach): boolean {
  if (name === login) return true;
  return name.includes('@') ? reach !== 'logins' : reach === 'localParts';
}
