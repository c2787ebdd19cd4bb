/** The settings of the section Smarthost: the server that takes our mail to outside. */
import { isIP } from 'node:net';
import Joi from 'joi';
import { hostOrAddress } from '../base/schema.js';

export const MIN_USERNAME_CHARS = 2;
export const MAX_USERNAME_CHARS = 255;
/** Longest password, in characters; RFC 4616 allows 255 bytes, some providers give out longer tokens. */
export const MAX_PASSWORD_CHARS = 1_024;

/**
 * `none`: never encrypted. `may`: encrypted when the server offers it (STARTTLS), without a look at the certificate.
 * `starttls`: only encrypted. `smtps`: encrypted from the first byte on, as port 465 wants it.
 */
export type SmarthostTls = 'none' | 'may' | 'starttls' | 'smtps';
export const SMARTHOST_TLS: readonly SmarthostTls[] = ['none', 'may', 'starttls', 'smtps'];

export interface SmarthostSettings {
  /** Host name (A-labels) or literal address without brackets; '' sends straight to the recipients' servers. */
  readonly host: string;
  readonly port: number;
  /** Whether the DNS says by MX records of `host` which machine it is (RFC 5321 5.1). */
  readonly mx: boolean;
  readonly tls: SmarthostTls;
  /** Whether the certificate must be valid and for this name; has a meaning with `starttls` and `smtps` only. */
  readonly verify: boolean;
  /** '' sends without login. */
  readonly username: string;
  /** The sealed password, '' without one. */
  readonly password: string;
}

/** What the form shows where there is no smarthost: ports and level as most providers want them. */
export const NO_SMARTHOST: SmarthostSettings = {
  host: '',
  port: 587,
  mx: false,
  tls: 'starttls',
  verify: true,
  username: '',
  password: '',
};

const FORBIDDEN = /[\p{Cc}\p{Cs}\u2028\u2029]/u;

/** Why Postfix could not log in with this user name, as the end of a translation key; null when it can. */
export function usernameFault(username: string): 'short' | 'long' | 'colon' | 'control' | null {
  if (FORBIDDEN.test(username) || username !== username.trim()) return 'control';
  if ([...username].length < MIN_USERNAME_CHARS) return 'short';
  if ([...username].length > MAX_USERNAME_CHARS) return 'long';
  // A colon ends the user name in Postfix' password table (SASL_README).
  return username.includes(':') ? 'colon' : null;
}

/** Why Postfix could not send this password, as the end of a translation key; null when it can. */
export function passwordFault(password: string): 'empty' | 'long' | 'control' | 'trailing' | null {
  if (password === '') return 'empty';
  if (FORBIDDEN.test(password)) return 'control';
  if ([...password].length > MAX_PASSWORD_CHARS) return 'long';
  // postmap(1) takes blanks from the end of a value.
  return password.endsWith(' ') ? 'trailing' : null;
}

/** Whether the certificate is really looked at. */
export function verifies({ tls, verify }: Pick<SmarthostSettings, 'tls' | 'verify'>): boolean {
  return verify && (tls === 'starttls' || tls === 'smtps');
}

/** How Postfix names the server: in `relayhost`, and as the key of its password and its TLS policy (postconf(5)). */
export function nextHop({
  host,
  port,
  mx,
}: Pick<SmarthostSettings, 'host' | 'port' | 'mx'>): string {
  return mx ? `${host}:${port}` : `[${host}]:${port}`;
}

const username = Joi.string()
  .allow('')
  .custom((value: string, helpers) => {
    const fault = value === '' ? null : usernameFault(value);
    return fault === null ? value : helpers.error(`username.${fault}`);
  });

export const smarthostSchema = Joi.object<SmarthostSettings>({
  host: hostOrAddress.allow('').required(),
  port: Joi.number().integer().min(1).max(65_535).required(),
  mx: Joi.boolean().required(),
  tls: Joi.string()
    .valid(...SMARTHOST_TLS)
    .required(),
  verify: Joi.boolean().required(),
  username: username.required(),
  password: Joi.string()
    .allow('')
    .max(8_192)
    .pattern(/^mb1\.[A-Za-z0-9_-]+$/)
    .required(),
})
  .required()
  .custom((settings: SmarthostSettings, helpers) => {
    const fault = contradiction(settings);
    return fault === null ? settings : helpers.error('any.invalid', {}, { path: [fault] });
  });

/** The field whose value does not go with the others; null when all fit. */
export function contradiction(settings: SmarthostSettings): keyof SmarthostSettings | null {
  const { host, mx, password } = settings;
  if (host === '' && settings.username !== '') return 'host';
  if (isIP(host) !== 0 && mx) return 'mx';
  // Postfix compares a certificate with names only, never with an address (postconf(5), smtp_tls_security_level).
  if (isIP(host) !== 0 && verifies(settings)) return 'verify';
  if (settings.username === '' && password !== '') return 'username';
  if (settings.username !== '' && password === '') return 'password';
  return null;
}
