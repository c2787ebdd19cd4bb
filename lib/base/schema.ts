/** The settings of the section Base configuration. */
import { isIP } from 'node:net';
import Joi from 'joi';
import { asciiDomain, isAsciiDomain } from '../domains/schema.js';

/** Bytes in what the pages call MB. */
export const BYTES_PER_MB = 1024 * 1024;
/** Largest limit that can be set, in MB: just below the 2 GiB that local(8) and old clients count with. */
export const MAX_MESSAGE_SIZE_MB = 2_000;

export interface BaseSettings {
  /** What we say in HELO and in the banner, in A-labels; '' is the machine's own name. */
  readonly mailServerName: string;
  /** In MB of 1,048,576 bytes, with as many decimals as whole bytes need; null is unlimited. */
  readonly maxMessageSizeMb: number | null;
  readonly delivery: 'system' | 'lmtp';
  /** For `system`: one file per user in the mail spool, or a Maildir in the user's home. */
  readonly mailboxFormat: 'mbox' | 'maildir';
  /** For `lmtp`: host name or IP address (no brackets) of the groupware server. */
  readonly lmtpHost: string;
  readonly lmtpPort: number;
  readonly unknownRecipient: 'refuse' | 'admin';
}

/** LMTP servers people have, with the place where each listens by default. */
export const LMTP_PRESETS: Readonly<
  Record<string, { readonly host: string; readonly port: number }>
> = {
  kopano: { host: '127.0.0.1', port: 2003 },
  dovecot: { host: '127.0.0.1', port: 24 },
  cyrus: { host: '127.0.0.1', port: 24 },
  grommunio: { host: '127.0.0.1', port: 24 },
};

/** Host name (A-labels) or literal address, v4 or v6, without brackets and without a zone (`fe80::1%eth0`). */
export function isHost(value: string): boolean {
  return (isIP(value) !== 0 && !value.includes('%')) || isAsciiDomain(value);
}

/** A Joi rule for `isHost`; its error type is `host.invalid`. */
export const hostOrAddress = Joi.string()
  .max(253)
  .custom((value: string, helpers) => (isHost(value) ? value : helpers.error('host.invalid')))
  .messages({ 'host.invalid': 'host.invalid' });

export const baseSchema = Joi.object<BaseSettings>({
  mailServerName: asciiDomain.allow('').required(),
  maxMessageSizeMb: Joi.number().min(1).max(MAX_MESSAGE_SIZE_MB).allow(null).required(),
  delivery: Joi.string().valid('system', 'lmtp').required(),
  mailboxFormat: Joi.string().valid('mbox', 'maildir').required(),
  lmtpHost: hostOrAddress.required(),
  lmtpPort: Joi.number().integer().min(1).max(65_535).required(),
  unknownRecipient: Joi.string().valid('refuse', 'admin').required(),
}).required();
