/** Fetchmail queries: mailboxes at other providers, and where their mail goes. */
import { isIP } from 'node:net';
import Joi from 'joi';
import { isAliasName, isTarget, kindOfName } from '../aliases/address.js';
import { isHost } from '../base/schema.js';
import { isAsciiDomain, toAsciiDomain } from '../domains/schema.js';
import { isSealed } from '../secrets/seal.js';

export const MAX_QUERIES = 2_000;
export const MAX_NAME_CHARS = 120;
export const MAX_USER_CHARS = 255;
export const MAX_PASSWORD_CHARS = 1_024;
export const MAX_RECIPIENTS = 100;
export const MAX_FOLDERS = 50;
export const MAX_FOLDER_CHARS = 200;
/** Seconds between two polls. */
export const MIN_INTERVAL_S = 10;
export const MAX_INTERVAL_S = 86_400;
/** Seconds a server may stay silent. */
export const MIN_TIMEOUT_S = 5;
export const MAX_TIMEOUT_S = 3_600;
/** Largest message that can be set as limit, in MiB: fetchmail counts bytes in 31 bits. */
export const MAX_SIZE_MB = 2_000;
export const MAX_COUNT = 100_000;

/** What fetchmail speaks (fetchmail(1), --protocol). */
export const PROTOCOLS = ['imap', 'pop3', 'auto', 'apop', 'rpop', 'kpop', 'etrn', 'odmr'] as const;
export type FetchProtocol = (typeof PROTOCOLS)[number];

/** What has to stand among the features of a fetchmail for a protocol; one that is not here needs nothing. */
const FEATURES: Readonly<Partial<Record<FetchProtocol, string>>> = {
  ...{ imap: 'imap', pop3: 'pop3', apop: 'pop3', rpop: 'pop3', kpop: 'kerberos' },
  ...{ etrn: 'etrn', odmr: 'odmr' },
};

/** By the line `feature_options` of `fetchmail --configdump`; all of them when there is none. */
export function offeredProtocols(dump: string): readonly FetchProtocol[] {
  const features = /^feature_options = \((.*)\)$/m.exec(dump)?.[1];
  if (features === undefined) return PROTOCOLS;
  const named = new Set([...features.matchAll(/'(\w+)'/g)].map(([, name = '']) => name));
  return PROTOCOLS.filter((protocol) => named.has(FEATURES[protocol] ?? 'pop3'));
}

export const DESTINATIONS = ['user', 'alias', 'address', 'multidrop'] as const;
export type Destination = (typeof DESTINATIONS)[number];

/** `tls`: encrypted from the first byte on. `starttls`: only encrypted, begun in the open. `none`: never encrypted. */
export const SSL_KINDS = ['tls', 'starttls', 'none'] as const;
export type SslKind = (typeof SSL_KINDS)[number];

/** `check`: valid and for this name. `fingerprint`: exactly this key. `none`: anybody's. */
export const CERTIFICATE_CHECKS = ['check', 'fingerprint', 'none'] as const;
export type CertificateCheck = (typeof CERTIFICATE_CHECKS)[number];

/** One query as the protocol of the helper, the history and the export know it. */
export interface FetchQuery {
  /** The row's id: what its files and its state of seen mail are named after. */
  readonly id: string;
  readonly name: string;
  /** The name is the server. */
  readonly sameServer: boolean;
  /** Host name in A-labels, or a literal address; filled in also when it is the name. */
  readonly server: string;
  readonly enabled: boolean;
  readonly protocol: FetchProtocol;
  /** Null is the protocol's own. */
  readonly port: number | null;
  readonly remoteUser: string;
  /** The sealed password; '' where none is needed. */
  readonly remotePassword: string;
  readonly destination: Destination;
  /** With `user` those who get it; with `multidrop` those who get what has no recipient here. */
  readonly users: readonly string[];
  readonly alias: string;
  readonly address: string;
  /** With `multidrop`: the domains whose local parts decide, in A-labels. */
  readonly localDomains: readonly string[];
  /** With `multidrop`: the header that names the recipient; '' looks into Received, To and Cc. */
  readonly envelope: string;
  /** With `multidrop`: what the provider puts before the address in that header. */
  readonly envelopePrefix: string;
  /** With `multidrop`: the domain the local parts are delivered at; '' is their own. */
  readonly smtpDomain: string;
  readonly ssl: SslKind;
  readonly certificate: CertificateCheck;
  /** MD5 of the server's key as fetchmail shows it; '' without one. */
  readonly fingerprint: string;
  readonly keep: boolean;
  readonly fetchAll: boolean;
  /** Only with IMAP; none is INBOX. */
  readonly folders: readonly string[];
  /** Seconds. */
  readonly interval: number;
  /** Seconds. */
  readonly timeout: number;
  /** MiB above which a message stays on the server; null for no limit. */
  readonly sizeLimit: number | null;
  /** Messages per poll, per delivery connection, and per expunge; null is fetchmail's own. */
  readonly fetchLimit: number | null;
  readonly batchLimit: number | null;
  readonly expunge: number | null;
  /** Takes Delivered-To lines out, which can make a server believe in a loop. */
  readonly dropDelivered: boolean;
}

export interface FetchmailSettings {
  readonly queries: readonly FetchQuery[];
}

/** Everything of a query but what the database gives. */
export type QueryValues = Omit<FetchQuery, 'id'>;

export const NEW_QUERY: QueryValues = {
  name: '',
  sameServer: true,
  server: '',
  enabled: true,
  protocol: 'imap',
  port: null,
  remoteUser: '',
  remotePassword: '',
  destination: 'user',
  users: [],
  alias: '',
  address: '',
  localDomains: [],
  envelope: '',
  envelopePrefix: '',
  smtpDomain: '',
  ssl: 'tls',
  certificate: 'check',
  fingerprint: '',
  keep: false,
  fetchAll: false,
  folders: [],
  interval: 300,
  timeout: 60,
  sizeLimit: null,
  fetchLimit: null,
  batchLimit: null,
  expunge: null,
  dropDelivered: false,
};

export const QUERY_FIELDS = Object.keys(NEW_QUERY) as readonly (keyof QueryValues)[];

const DEFAULT_PORTS: Readonly<
  Record<FetchProtocol, { readonly plain: number; readonly tls: number } | null>
> = {
  imap: { plain: 143, tls: 993 },
  pop3: { plain: 110, tls: 995 },
  apop: { plain: 110, tls: 995 },
  rpop: { plain: 110, tls: 995 },
  kpop: { plain: 1109, tls: 1109 },
  etrn: { plain: 25, tls: 25 },
  odmr: { plain: 366, tls: 366 },
  auto: null,
};

/** The port that is spoken to; null when fetchmail finds out by trying. */
export function effectivePort({
  protocol,
  port,
  ssl,
}: Pick<QueryValues, 'protocol' | 'port' | 'ssl'>): number | null {
  return port ?? DEFAULT_PORTS[protocol]?.[ssl === 'tls' ? 'tls' : 'plain'] ?? null;
}

/** ETRN and ODMR ask a server to send: there is no mailbox, and ETRN knows no login. */
export function hasMailbox(protocol: FetchProtocol): boolean {
  return protocol !== 'etrn' && protocol !== 'odmr';
}

export function needsLogin(protocol: FetchProtocol): boolean {
  return protocol !== 'etrn';
}

/** Only these can be encrypted (fetchmail(1), --ssl). */
export function canEncrypt(protocol: FetchProtocol): boolean {
  return hasMailbox(protocol);
}

/** Control characters, lone surrogates and what some programs take for the end of a line. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\u2028\u2029]/u;

/** Why fetchmail could not log in with this password, as the end of a translation key; null when it can. */
export function passwordFault(password: string): 'empty' | 'long' | 'control' | null {
  if (password === '') return 'empty';
  if (FORBIDDEN.test(password)) return 'control';
  return [...password].length > MAX_PASSWORD_CHARS ? 'long' : null;
}

/** One thing that is wrong with a query: the field, and the end of a translation key. */
export interface QueryFault {
  readonly field: keyof QueryValues;
  readonly fault: string;
}

/**
 * Everything that is wrong with a query. Written by hand, for speed: a save checks all of 500 queries, twice.
 * `password` says whether the sealed password is looked at: a form decides about it on its own.
 */
export function faultsOf(query: QueryValues, { password = true } = {}): readonly QueryFault[] {
  const faults: QueryFault[] = [];
  const wrong = (field: keyof QueryValues, fault: string = field): void => {
    faults.push({ field, fault });
  };
  if (!isLine(query.name, MAX_NAME_CHARS) || query.name === '') wrong('name');
  if (!isHost(query.server)) wrong(query.sameServer ? 'name' : 'server', 'server');
  else if (query.sameServer && query.name !== query.server) {
    // Most names are the server letter by letter and need not be read.
    if (hostOfName(query.name) !== query.server) wrong('name', 'server');
  }
  if (query.port !== null && !isCount(query.port, 1, 65_535)) wrong('port');
  judgeLogin(query, password, wrong);
  judgeDestination(query, wrong);
  judgeConnection(query, wrong);
  judgeFetching(query, wrong);
  return faults;
}

type Wrong = (field: keyof QueryValues, fault?: string) => void;

function judgeLogin(query: QueryValues, password: boolean, wrong: Wrong): void {
  const needed = needsLogin(query.protocol);
  if (!needed && query.remoteUser !== '') wrong('remoteUser', 'noLogin');
  if (needed && query.remoteUser === '') wrong('remoteUser', 'remoteUserEmpty');
  if (!isLine(query.remoteUser, MAX_USER_CHARS)) wrong('remoteUser');
  if (!password) return;
  const box = query.remotePassword;
  if (needed ? !isSealed(box) || box.length > 8_192 : box !== '') wrong('remotePassword');
}

function judgeDestination(query: QueryValues, wrong: Wrong): void {
  const { destination, users, alias, address, localDomains } = query;
  const multidrop = destination === 'multidrop';
  if (!hasMailbox(query.protocol) && destination !== 'multidrop') {
    wrong('destination', 'destinationProtocol');
  }
  const named = users.every((user) => !user.includes('@') && isTarget(user));
  if (!named || users.length > MAX_RECIPIENTS || new Set(users).size !== users.length) {
    wrong('users');
  }
  if (destination === 'user' && users.length === 0) wrong('users', 'usersEmpty');
  const isAlias = isAliasName(alias) && kindOfName(alias) !== 'catchAll';
  if (destination === 'alias' ? !isAlias : alias !== '') wrong('alias');
  const isAddress = address.includes('@') && isTarget(address);
  if (destination === 'address' ? !isAddress : address !== '') wrong('address');
  const domains = localDomains.length <= MAX_RECIPIENTS && localDomains.every(isAsciiDomain);
  if (!domains || new Set(localDomains).size !== localDomains.length) wrong('localDomains');
  if (multidrop !== localDomains.length > 0) wrong('localDomains', 'localDomainsEmpty');
  if (!/^(?:[A-Za-z0-9][A-Za-z0-9-]{0,60})?$/.test(query.envelope)) wrong('envelope');
  if (!/^[A-Za-z0-9._+=-]{0,100}$/.test(query.envelopePrefix)) wrong('envelopePrefix');
  if (query.smtpDomain !== '' && !isAsciiDomain(query.smtpDomain)) wrong('smtpDomain');
}

function judgeConnection(query: QueryValues, wrong: Wrong): void {
  const { ssl, certificate, fingerprint } = query;
  if (ssl !== 'none' && !canEncrypt(query.protocol)) wrong('ssl', 'sslProtocol');
  const pinned = certificate === 'fingerprint';
  const shaped = /^[0-9A-F]{2}(?::[0-9A-F]{2}){15}$/.test(fingerprint);
  if (pinned ? !shaped : fingerprint !== '') wrong('fingerprint');
  // fetchmail compares names only, as most authorities sign no addresses.
  if (ssl !== 'none' && certificate === 'check' && isIP(query.server) !== 0) {
    wrong('certificate', 'certificateAddress');
  }
}

function judgeFetching(query: QueryValues, wrong: Wrong): void {
  const { folders } = query;
  const readable = folders.every((folder) => folder !== '' && isLine(folder, MAX_FOLDER_CHARS));
  if (!readable || folders.length > MAX_FOLDERS || new Set(folders).size !== folders.length) {
    wrong('folders');
  }
  if (folders.length > 0 && query.protocol !== 'imap') wrong('folders', 'foldersProtocol');
  if (query.keep && query.fetchAll) wrong('fetchAll', 'keepFetchAll');
  if (!isCount(query.interval, MIN_INTERVAL_S, MAX_INTERVAL_S)) wrong('interval');
  if (!isCount(query.timeout, MIN_TIMEOUT_S, MAX_TIMEOUT_S)) wrong('timeout');
  const { sizeLimit } = query;
  if (sizeLimit !== null && !(sizeLimit >= 0.01 && sizeLimit <= MAX_SIZE_MB)) wrong('sizeLimit');
  for (const field of ['fetchLimit', 'batchLimit', 'expunge'] as const) {
    const value = query[field];
    if (value !== null && !isCount(value, 1, MAX_COUNT)) wrong(field);
  }
}

/** The server a name stands for, when it is one; the name itself otherwise. */
export function hostOfName(name: string): string {
  const bare = /^\[(.*)\]$/.exec(name)?.[1] ?? name;
  return isIP(bare) === 0 ? (toAsciiDomain(name) ?? name) : bare;
}

/** One line of text as a form sends it. */
function isLine(text: string, limit: number): boolean {
  return text.length <= limit && text === text.trim() && !FORBIDDEN.test(text);
}

function isCount(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

/** The shape alone; what the values may be says `faultsOf`. */
const SHAPE: Readonly<Record<keyof FetchQuery, (value: unknown) => boolean>> = {
  id: (value) => typeof value === 'string' && /^[1-9][0-9]{0,17}$/.test(value),
  name: isText,
  sameServer: isTruth,
  server: isText,
  enabled: isTruth,
  protocol: oneOf(PROTOCOLS),
  port: isNumberOrNull,
  remoteUser: isText,
  remotePassword: isText,
  destination: oneOf(DESTINATIONS),
  users: areTexts,
  alias: isText,
  address: isText,
  localDomains: areTexts,
  envelope: isText,
  envelopePrefix: isText,
  smtpDomain: isText,
  ssl: oneOf(SSL_KINDS),
  certificate: oneOf(CERTIFICATE_CHECKS),
  fingerprint: isText,
  keep: isTruth,
  fetchAll: isTruth,
  folders: areTexts,
  interval: isNumber,
  timeout: isNumber,
  sizeLimit: isNumberOrNull,
  fetchLimit: isNumberOrNull,
  batchLimit: isNumberOrNull,
  expunge: isNumberOrNull,
  dropDelivered: isTruth,
};
const FIELD_COUNT = Object.keys(SHAPE).length;

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= 10_000;
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length <= 1_000 && value.every(isText);
}

function isTruth(value: unknown): boolean {
  return typeof value === 'boolean';
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number';
}

function isNumberOrNull(value: unknown): boolean {
  return value === null || typeof value === 'number';
}

function oneOf(list: readonly string[]): (value: unknown) => boolean {
  return (value) => typeof value === 'string' && list.includes(value);
}

/** Whether a value is a query with exactly the known fields; unknown ones, such as a command, are no query. */
export function isQuery(value: unknown): value is FetchQuery {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return (
    entries.length === FIELD_COUNT &&
    entries.every(
      ([name, one]) => Object.hasOwn(SHAPE, name) && SHAPE[name as keyof FetchQuery](one),
    )
  );
}

/** A query that may cross the border. Its error names the field that is wrong. */
export const querySchema = Joi.any()
  .required()
  .custom((value: unknown, helpers) => {
    if (!isQuery(value)) return helpers.error('any.invalid');
    const [fault] = faultsOf(value);
    return fault ? helpers.error('any.invalid', {}, { path: [fault.field] }) : value;
  });

const checkQueries: Joi.CustomValidator = (value: unknown, helpers) => {
  if (!Array.isArray(value) || value.length > MAX_QUERIES) return helpers.error('any.invalid');
  const seen = new Set<string>();
  for (const [index, query] of value.entries()) {
    if (!isQuery(query) || seen.has(query.id)) {
      return helpers.error('any.invalid', {}, { path: ['queries', index] });
    }
    seen.add(query.id);
    const [fault] = faultsOf(query);
    if (fault) return helpers.error('any.invalid', {}, { path: ['queries', index, fault.field] });
  }
  return value as FetchQuery[];
};

export const fetchmailSchema = Joi.object<FetchmailSettings>({
  queries: Joi.any().required().custom(checkQueries),
}).required();
