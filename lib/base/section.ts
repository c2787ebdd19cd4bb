/** Base configuration: name, size, and where local mail goes (postconf(5), local(8)). */
import { knownRecipients, recipientMap, recipientsInTable } from '../recipients/section.js';
import { expand } from '../sections/expand.js';
import type { AllSettings, Section, SystemView, Unclear } from '../sections/section.js';
import {
  baseSchema,
  BYTES_PER_MB,
  isHost,
  MAX_MESSAGE_SIZE_MB,
  type BaseSettings,
} from './schema.js';

/** `lmtp:inet:host:port`, IPv6 in brackets. */
const LMTP_TRANSPORT = /^lmtp:inet:(?:\[([^\]]+)\]|([^:\s]+)):(\d+)$/;

/**
 * Hands only users that NSS knows to the LMTP server; all others fall through to `luser_relay`,
 * which `mailbox_transport` alone would never reach.
 */
const LMTP_FOR_KNOWN_USERS = /^pipemap:\{(?:unix:passwd\.byname|lmdb:\/\S+),\s*static:\{(\S+)\}\}$/;

/** `$domain` is the recipient's own (local) domain, expanded by local(8): the mail cannot leave the machine. */
const MAIL_ADMIN = 'postmaster@$domain';

/** Limits of the delivery agents that must not be below the message size, or mail sticks in the queue. */
const MAILBOX_LIMITS = ['mailbox_size_limit', 'virtual_mailbox_limit'] as const;

export const baseSection: Section<BaseSettings> = {
  id: 'base',
  follows: ['recipients'],
  schema: baseSchema,
  owns: {
    parameters: [
      'myhostname',
      'message_size_limit',
      ...MAILBOX_LIMITS,
      'mailbox_transport',
      'mailbox_transport_maps',
      'mailbox_command',
      'home_mailbox',
      'local_recipient_maps',
      'luser_relay',
    ],
    lists: [],
    master: [],
    tables: [],
    files: [],
  },

  render(settings, system, all) {
    const bytes = Math.round((settings.maxMessageSizeMb ?? 0) * BYTES_PER_MB);
    return {
      parameters: {
        myhostname: settings.mailServerName || null,
        message_size_limit: String(bytes),
        ...mailboxLimits(bytes, system),
        ...delivery(settings, system, all),
        ...unknownRecipients(settings, system, all),
      },
    };
  },

  read(system) {
    const unclear: Unclear[] = [];
    const settings: BaseSettings = {
      mailServerName: readName(system, unclear),
      maxMessageSizeMb: readSize(system, unclear),
      ...readDelivery(system, unclear),
      unknownRecipient: readUnknownRecipient(system, unclear),
    };
    return { settings, unclear };
  },

  danger(before, after) {
    const unchanged =
      before !== null &&
      (['delivery', 'mailboxFormat', 'lmtpHost', 'lmtpPort', 'unknownRecipient'] as const).every(
        (name) => before[name] === after[name],
      );
    return unchanged ? 'none' : 'delivery';
  },
};

function mailboxLimits(bytes: number, system: SystemView): Record<string, string> {
  const tooSmall = MAILBOX_LIMITS.filter((name) => {
    const limit = Number(system.parameter(name));
    return limit !== 0 && (bytes === 0 || limit < bytes);
  });
  return Object.fromEntries(tooSmall.map((name) => [name, '0']));
}

function delivery(
  settings: BaseSettings,
  system: SystemView,
  all: AllSettings,
): Record<string, string | null> {
  if (settings.delivery === 'system') {
    const maildir = settings.mailboxFormat === 'maildir';
    return {
      mailbox_transport: null,
      mailbox_transport_maps: null,
      home_mailbox: maildir ? 'Maildir/' : null,
      ...(maildir ? { mailbox_command: null } : {}),
    };
  }
  const host = settings.lmtpHost.includes(':') ? `[${settings.lmtpHost}]` : settings.lmtpHost;
  const transport = `lmtp:inet:${host}:${settings.lmtpPort}`;
  const users = recipientsInTable(all) ? recipientMap(system) : 'unix:passwd.byname';
  return settings.unknownRecipient === 'admin'
    ? {
        mailbox_transport: null,
        mailbox_transport_maps: `pipemap:{${users},static:{${transport}}}`,
      }
    : { mailbox_transport: transport, mailbox_transport_maps: null };
}

function unknownRecipients(
  settings: BaseSettings,
  system: SystemView,
  all: AllSettings,
): Record<string, string | null> {
  if (settings.unknownRecipient === 'admin') {
    return { local_recipient_maps: '', luser_relay: MAIL_ADMIN };
  }
  if (recipientsInTable(all)) {
    const known = knownRecipients(system, settings.delivery);
    return { local_recipient_maps: known, luser_relay: null };
  }
  const checksNothing = system.parameter('local_recipient_maps') === '';
  return { luser_relay: null, ...(checksNothing ? { local_recipient_maps: null } : {}) };
}

function readName(system: SystemView, unclear: Unclear[]): string {
  if (!system.isSet('myhostname')) return '';
  const value = system.parameter('myhostname');
  const name = expand(value, system).toLowerCase();
  if (isServerName(name)) return name;
  unclear.push({ parameter: 'myhostname', value, key: 'base.unclear.name' });
  return '';
}

/** Whether the form takes it as the server's name. */
function isServerName(name: string): boolean {
  return !baseSchema.extract('mailServerName').validate(name, { convert: false }).error;
}

function readSize(system: SystemView, unclear: Unclear[]): number | null {
  const written = system.parameter('message_size_limit');
  const value = expand(written, system);
  const megabytes = Number(value) / BYTES_PER_MB;
  if (value === '0') return null;
  if (!(megabytes >= 1 && megabytes <= MAX_MESSAGE_SIZE_MB)) {
    unclear.push({ parameter: 'message_size_limit', value: written, key: 'base.unclear.size' });
  }
  return Math.min(MAX_MESSAGE_SIZE_MB, Math.max(1, megabytes || 10));
}

function readDelivery(
  system: SystemView,
  unclear: Unclear[],
): Pick<BaseSettings, 'delivery' | 'mailboxFormat' | 'lmtpHost' | 'lmtpPort'> {
  const home = system.parameter('home_mailbox');
  const mailboxFormat = home.endsWith('/') ? 'maildir' : 'mbox';
  if (home !== '' && home !== 'Maildir/') {
    unclear.push({ parameter: 'home_mailbox', value: home, key: 'base.unclear.mailbox' });
  }
  const maps = system.parameter('mailbox_transport_maps');
  const value = LMTP_FOR_KNOWN_USERS.exec(maps)?.[1] ?? system.parameter('mailbox_transport');
  const match = LMTP_TRANSPORT.exec(value);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  if (isHost(host) && port >= 1 && port <= 65_535) {
    return { delivery: 'lmtp', mailboxFormat, lmtpHost: host, lmtpPort: port };
  }
  if (maps !== '' || value !== '') {
    const parameter = maps === '' ? 'mailbox_transport' : 'mailbox_transport_maps';
    unclear.push({ parameter, value: maps || value, key: 'base.unclear.delivery' });
  }
  return { delivery: 'system', mailboxFormat, lmtpHost: '127.0.0.1', lmtpPort: 2003 };
}

function readUnknownRecipient(system: SystemView, unclear: Unclear[]): 'refuse' | 'admin' {
  const relay = system.parameter('luser_relay');
  const checked = system.parameter('local_recipient_maps') !== '';
  if (relay !== '' && relay !== MAIL_ADMIN) {
    unclear.push({ parameter: 'luser_relay', value: relay, key: 'base.unclear.unknown' });
  }
  return relay !== '' || !checked ? 'admin' : 'refuse';
}
