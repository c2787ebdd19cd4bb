/**
 * What the process is told by its environment, checked before anything starts.
 */
import Joi from 'joi';
import type { Brand } from '../contract.js';
import { DEFAULT_CERTIFICATES } from './certificates/folder.js';
import { brandColour } from './web/brand-style.js';

export type Listen =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface Environment {
  /** Folder of the database, the session secret and `first-login.json`; 0700, the console's own. */
  readonly stateDir: string;
  /** Socket of the privileged helper; null: the console shows everything and saves nothing. */
  readonly helperSocket: string | null;
  readonly listen: Listen;
  /** A PostgreSQL server; null: the embedded database in the state folder. */
  readonly databaseUrl: string | null;
  readonly brand: Brand;
  /** Lower-case name of the header in which a reverse proxy names the person it signed in; null: our own sign-in. */
  readonly trustedUserHeader: string | null;
  /** Login of the account made while there is none. */
  readonly firstAdmin: string;
  /** Where saslauthd answers, for people who sign in with their system account. */
  readonly saslauthdSocket: string;
  /** Folder of the certificates offered for mail. */
  readonly certificates: string;
  readonly logLevel: string;
}

/** The operator's mistake, in a sentence for the operator; the process must not start. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

const DEFAULT_BRAND: Brand = { product: 'Mailserver', vendor: '', support: '' };
const DEFAULT_SASLAUTHD_SOCKET = '/run/saslauthd/mux';
const HEADER_NAME = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
const LOGIN = /^[a-z_][a-z0-9_.@-]{0,63}$/;
const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'];

const brandSchema = Joi.object<Brand>({
  product: Joi.string().trim().min(1).max(60).required(),
  vendor: Joi.string().trim().allow('').max(60).default(''),
  support: Joi.string().trim().allow('').max(200).default(''),
  color: Joi.string().max(60),
});

/** Reads and checks the environment. Throws an `EnvironmentError` that names the variable. */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const stateDir = env['MAILSERVER_STATE'] ?? '';
  if (!stateDir.startsWith('/')) {
    throw new EnvironmentError('MAILSERVER_STATE must be the absolute path of the state folder');
  }
  const listen = readListen(env['MAILSERVER_LISTEN'] ?? '127.0.0.1:0');
  const logLevel = env['MAILSERVER_LOG_LEVEL'] ?? 'info';
  if (!LEVELS.includes(logLevel)) {
    throw new EnvironmentError(`MAILSERVER_LOG_LEVEL must be one of ${LEVELS.join(', ')}`);
  }
  const firstAdmin = env['MAILSERVER_FIRST_ADMIN'] ?? 'admin';
  if (!LOGIN.test(firstAdmin)) {
    throw new EnvironmentError('MAILSERVER_FIRST_ADMIN must be a login in lower case');
  }
  return {
    stateDir,
    listen,
    logLevel,
    firstAdmin,
    helperSocket: presentOrNull(env['MAILSERVER_HELPER_SOCKET']),
    databaseUrl: presentOrNull(env['DATABASE_URL']),
    brand: readBrand(presentOrNull(env['MAILSERVER_BRAND'])),
    trustedUserHeader: readTrustedHeader(env['MAILSERVER_TRUSTED_USER_HEADER'], listen),
    certificates: presentOrNull(env['MAILSERVER_CERTIFICATES']) ?? DEFAULT_CERTIFICATES,
    saslauthdSocket: presentOrNull(env['MAILSERVER_SASLAUTHD']) ?? DEFAULT_SASLAUTHD_SOCKET,
  };
}

function presentOrNull(value: string | undefined): string | null {
  return value === undefined || value === '' ? null : value;
}

function readListen(value: string): Listen {
  if (value.startsWith('unix:/')) return { kind: 'unix', path: value.slice('unix:'.length) };
  const match = /^(?<host>[^:[\]\s]+|\[[0-9a-fA-F:.]+\]):(?<port>\d{1,5})$/.exec(value);
  const port = Number(match?.groups?.['port']);
  if (match?.groups === undefined || port > 65535) {
    throw new EnvironmentError('MAILSERVER_LISTEN must look like 127.0.0.1:8080 or unix:/path');
  }
  return { kind: 'tcp', host: (match.groups['host'] ?? '').replace(/^\[|\]$/g, ''), port };
}

function readBrand(json: string | null): Brand {
  if (json === null) return DEFAULT_BRAND;
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch (error) {
    throw new EnvironmentError('MAILSERVER_BRAND must be JSON', { cause: error });
  }
  const checked = brandSchema.validate(data);
  if (checked.error !== undefined) {
    throw new EnvironmentError(`MAILSERVER_BRAND: ${checked.error.message}`);
  }
  const { color } = checked.value;
  if (color !== undefined && brandColour(color) === null) {
    throw new EnvironmentError('MAILSERVER_BRAND: color must be a CSS colour such as #0f6e84');
  }
  return checked.value;
}

/** Whoever reaches a TCP port can send any header, so a trusted one needs a socket only the proxy can open. */
function readTrustedHeader(name: string | undefined, listen: Listen): string | null {
  const header = presentOrNull(name);
  if (header === null) return null;
  if (listen.kind !== 'unix') {
    throw new EnvironmentError(
      'MAILSERVER_TRUSTED_USER_HEADER needs MAILSERVER_LISTEN=unix:/path: on a TCP port anybody could send the header',
    );
  }
  if (!HEADER_NAME.test(header)) {
    throw new EnvironmentError('MAILSERVER_TRUSTED_USER_HEADER must be the name of a header');
  }
  return header.toLowerCase();
}
