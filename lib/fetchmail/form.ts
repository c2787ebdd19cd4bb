/** The form of a query: what is typed into it, and the settings that means. The password goes its own way. */
import { isIP } from 'node:net';
import { displayAddress, parseAliasName, parseTarget } from '../aliases/address.js';
import { toAsciiDomain, toUnicodeDomain } from '../domains/schema.js';
import type { Problem } from '../errors.js';
import { allTexts, oneText, quote, readFields, type FieldValues } from '../web/fields.js';
import {
  canEncrypt,
  faultsOf,
  hostOfName,
  MAX_COUNT,
  MAX_FOLDERS,
  MAX_INTERVAL_S,
  MAX_NAME_CHARS,
  MAX_QUERIES,
  MAX_RECIPIENTS,
  MAX_SIZE_MB,
  MAX_TIMEOUT_S,
  MIN_INTERVAL_S,
  MIN_TIMEOUT_S,
  needsLogin,
  type QueryValues,
} from './schema.js';

/** The fields in the order in which the form shows them. */
export const FORM_FIELDS = [
  'name',
  'sameServer',
  'server',
  'enabled',
  'protocol',
  'port',
  'ssl',
  'certificate',
  'fingerprint',
  'remoteUser',
  'remotePassword',
  'destination',
  'users',
  'alias',
  'address',
  'localDomains',
  'envelope',
  'envelopePrefix',
  'smtpDomain',
  'keep',
  'fetchAll',
  'folders',
  'interval',
  'timeout',
  'sizeLimit',
  'fetchLimit',
  'batchLimit',
  'expunge',
  'dropDelivered',
] as const;

const LINES = [
  'name',
  'server',
  'protocol',
  'port',
  'ssl',
  'certificate',
  'fingerprint',
  'remoteUser',
  'destination',
  'alias',
  'address',
  'envelope',
  'envelopePrefix',
  'smtpDomain',
  'interval',
  'timeout',
  'sizeLimit',
  'fetchLimit',
  'batchLimit',
  'expunge',
] as const;
const TICKS = ['sameServer', 'enabled', 'keep', 'fetchAll', 'dropDelivered'] as const;

/** What stands in the form. */
export interface TypedQuery {
  /** Lines and ticks; a tick is `1` or ''. */
  readonly values: FieldValues;
  readonly lists: Readonly<Record<string, readonly string[]>>;
}

export function toForm(query: QueryValues): TypedQuery {
  const { server, port, sizeLimit, fetchLimit, batchLimit, expunge } = query;
  const tick = (on: boolean): string => (on ? '1' : '');
  return {
    values: {
      name: query.name,
      sameServer: tick(query.sameServer),
      server: query.sameServer ? '' : toUnicodeDomain(server),
      enabled: tick(query.enabled),
      protocol: query.protocol,
      port: numberText(port),
      ssl: query.ssl,
      certificate: query.certificate,
      fingerprint: query.fingerprint,
      remoteUser: query.remoteUser,
      destination: query.destination,
      alias: displayAddress(query.alias),
      address: displayAddress(query.address),
      envelope: query.envelope,
      envelopePrefix: query.envelopePrefix,
      smtpDomain: toUnicodeDomain(query.smtpDomain),
      keep: tick(query.keep),
      fetchAll: tick(query.fetchAll),
      interval: String(query.interval),
      timeout: String(query.timeout),
      sizeLimit: numberText(sizeLimit),
      fetchLimit: numberText(fetchLimit),
      batchLimit: numberText(batchLimit),
      expunge: numberText(expunge),
      dropDelivered: tick(query.dropDelivered),
    },
    lists: {
      users: query.users,
      localDomains: query.localDomains.map(toUnicodeDomain),
      folders: query.folders,
    },
  };
}

export interface ReadQuery {
  readonly typed: TypedQuery;
  /** As typed where it means nothing, for the schema to refuse; the password is still to be decided. */
  readonly query: QueryValues;
  readonly problems: readonly Problem[];
}

/** Reads a form that was sent. What belongs to another destination or protocol is left out, not refused. */
export function readQuery(body: unknown, current: QueryValues): ReadQuery {
  const { values: lines, problems: lineProblems } = readFields(body, LINES);
  const before = toForm(current);
  const ticks = Object.fromEntries(TICKS.map((name) => [name, isYes(body, name) ? '1' : '']));
  const typed: TypedQuery = {
    values: { ...before.values, ...lines, ...ticks },
    lists: {
      users: listOf(body, 'users', /[\s,;]+/),
      localDomains: listOf(body, 'localDomains', /[\s,;]+/),
      folders: listOf(body, 'folders', /[\r\n]+/),
    },
  };
  const query = meaning(typed, current);
  const faulty = new Set(lineProblems.map(({ field }) => field));
  const problems = faultsOf(query, { password: false })
    .filter(({ field }) => !faulty.has(field))
    .map(({ field, fault }) => {
      const value = quote(typed.values[field] ?? typed.lists[field]?.join(', ') ?? '');
      return { key: `fetchmail.problem.${fault}`, values: { value, ...LIMITS }, field };
    });
  return { typed, query, problems: [...lineProblems, ...problems] };
}

const LIMITS = {
  chars: MAX_NAME_CHARS,
  recipients: MAX_RECIPIENTS,
  queries: MAX_QUERIES,
  folders: MAX_FOLDERS,
  leastInterval: MIN_INTERVAL_S,
  mostInterval: MAX_INTERVAL_S,
  leastTimeout: MIN_TIMEOUT_S,
  mostTimeout: MAX_TIMEOUT_S,
  size: MAX_SIZE_MB,
  count: MAX_COUNT,
};

function meaning({ values, lists }: TypedQuery, current: QueryValues): QueryValues {
  const text = (name: string): string => values[name] ?? '';
  const on = (name: string): boolean => text(name) === '1';
  const protocol = text('protocol') as QueryValues['protocol'];
  const destination = text('destination') as QueryValues['destination'];
  const multidrop = destination === 'multidrop';
  const ssl = canEncrypt(protocol) ? (text('ssl') as QueryValues['ssl']) : 'none';
  const certificate = ssl === 'none' ? 'none' : (text('certificate') as QueryValues['certificate']);
  const sameServer = on('sameServer');
  return {
    name: text('name'),
    sameServer,
    server: hostOfName(sameServer ? text('name') : text('server')).toLowerCase(),
    enabled: on('enabled'),
    protocol,
    port: numberOrNull(text('port')),
    remoteUser: needsLogin(protocol) ? text('remoteUser') : '',
    remotePassword: current.remotePassword,
    destination,
    users: destination === 'user' || multidrop ? unique(lists['users'], asTarget) : [],
    alias: destination === 'alias' ? (parseAliasName(text('alias')) ?? text('alias')) : '',
    address: destination === 'address' ? asTarget(text('address')) : '',
    localDomains: multidrop ? unique(lists['localDomains'], asDomain) : [],
    envelope: multidrop ? text('envelope').replace(/:$/, '') : '',
    envelopePrefix: multidrop ? text('envelopePrefix') : '',
    smtpDomain: multidrop ? asDomain(text('smtpDomain')) : '',
    ssl,
    certificate,
    fingerprint: certificate === 'fingerprint' ? text('fingerprint').toUpperCase() : '',
    keep: on('keep'),
    fetchAll: on('fetchAll'),
    folders: unique(lists['folders'], (folder) => folder),
    interval: numberOf(text('interval')),
    timeout: numberOf(text('timeout')),
    sizeLimit: numberOrNull(text('sizeLimit').replace(',', '.')),
    fetchLimit: numberOrNull(text('fetchLimit')),
    batchLimit: numberOrNull(text('batchLimit')),
    expunge: numberOrNull(text('expunge')),
    dropDelivered: on('dropDelivered'),
  };
}

function isYes(body: unknown, name: string): boolean {
  return ['1', 'yes', 'on', 'true'].includes(oneText(body, name));
}

function listOf(body: unknown, name: string, between: RegExp): readonly string[] {
  return allTexts(body, name)
    .flatMap((text) => text.split(between))
    .map((text) => text.trim())
    .filter((text) => text !== '');
}

function unique(
  list: readonly string[] | undefined,
  make: (text: string) => string,
): readonly string[] {
  return [...new Set((list ?? []).map(make))];
}

function asTarget(text: string): string {
  return parseTarget(text) ?? text;
}

function asDomain(text: string): string {
  return text === '' || isIP(text) !== 0 ? text : (toAsciiDomain(text) ?? text);
}

function numberText(value: number | null): string {
  return value === null ? '' : String(value);
}

function numberOrNull(text: string): number | null {
  return text === '' ? null : numberOf(text);
}

/** Not a number, where the schema will refuse it. */
function numberOf(text: string): number {
  return /^\d{1,9}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
}
