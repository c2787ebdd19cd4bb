/**
 * What of a fetchmailrc becomes queries, one for each user on each server, and what does not, each with the reason. By
 * what fetchmail itself understood (`config-dump.ts`). Pure.
 */
import { isTarget } from '../aliases/address.js';
import { isAsciiDomain } from '../domains/schema.js';
import { foldCase } from '../sections/fold-case.js';
import { UNREADABLE, type Dumped } from './config-dump.js';
import { decodeMailboxName } from './mailbox-name.js';
import {
  faultsOf,
  hostOfName,
  MAX_INTERVAL_S,
  MIN_INTERVAL_S,
  NEW_QUERY,
  passwordFault,
  type FetchProtocol,
  type QueryValues,
} from './schema.js';

/** One user on one server of the file. */
export interface FoundQuery {
  /** As the file names them. */
  readonly poll: string;
  readonly user: string;
  /** What stands before each message it has seen in its file of these (fetchmail(1), --idfile). */
  readonly seenAs: string;
  /** Null: it cannot be a query. */
  readonly query: QueryValues | null;
  /** In clear; '' where there is none. For the privileged side alone. */
  readonly password: string;
  /** Why it cannot, as a translation key. */
  readonly reason: string;
  readonly values: Readonly<Record<string, string>>;
  /** Options that are left out: they would change nothing about who gets which mail. */
  readonly without: readonly string[];
}

type Map = { readonly [name: string]: Dumped };

/** They run a program, or let a file decide: nothing of ours ever does. */
const COMMANDS = ['mda', 'bsmtp', 'preconnect', 'postconnect', 'plugin', 'plugout', 'properties'];
/** Nobody could enter them on the page, and without them mail would go another way, or not come. */
const INEXPRESSIBLE = [
  ...['interface', 'monitor', 'principal', 'sslkey', 'sslcert', 'sslcertfile', 'sslcertpath'],
  ...['sslcommonname', 'lmtp', 'envskip', 'antispam', 'flush', 'limitflush'],
];
const LEFT_OUT = ['idle', 'mimedecode', 'dropstatus', 'tracepolls', 'forcecr', 'pass8bits'];
const PROTOCOLS: Readonly<Record<string, FetchProtocol>> = {
  IMAP: 'imap',
  POP3: 'pop3',
  APOP: 'apop',
  RPOP: 'rpop',
  KPOP: 'kpop',
  auto: 'auto',
  AUTO: 'auto',
};
const SERVICES: Readonly<Record<string, number>> = {
  ...{ imap: 143, imap2: 143, imaps: 993, pop3: 110, 'pop-3': 110, pop3s: 995 },
};
const BYTES_PER_MB = 1_024 * 1_024;

/** `caller` is who fetchmail was run as: it names that account where the file names nobody. */
export function queriesIn(dump: Map, caller: string): readonly FoundQuery[] {
  const every = Math.max(0, numberOf(dump['poll_interval']));
  const rest = textOf(dump['postmaster']);
  const servers = listOf(dump['servers']).flatMap((server) => (isMap(server) ? [server] : []));
  const polls = servers.map((server) => textOf(server['pollname']));
  return servers.flatMap((server) => {
    const users = listOf(server['users']).flatMap((user) => (isMap(user) ? [user] : []));
    const poll = textOf(server['pollname']);
    const alone = users.length === 1 && polls.filter((name) => name === poll).length === 1;
    return users.map((user) => judge(server, user, { every, caller, rest, alone }));
  });
}

interface Circumstances {
  readonly every: number;
  readonly caller: string;
  /** Who gets what of a mailbox that is shared out is for nobody here (fetchmail(1), `set postmaster`). */
  readonly rest: string;
  /** The name of the server names this query. */
  readonly alone: boolean;
}

class Refused extends Error {
  constructor(
    readonly key: string,
    readonly values: Readonly<Record<string, string>> = {},
  ) {
    super(key);
  }
}

function judge(server: Map, user: Map, circumstances: Circumstances): FoundQuery {
  const poll = textOf(server['pollname']);
  const remote = textOf(user['remote']);
  const password = textOf(user['password']);
  const options = { ...server, ...user };
  const seenAs = `${remote}@${textOf(server['via']) || poll}`;
  const found = { poll: shown(poll), user: shown(remote), seenAs, password, values: {} };
  const without = LEFT_OUT.filter((name) => isSet(options[name]));
  try {
    const query = understand(server, user, circumstances);
    if (password.includes(UNREADABLE)) throw new Refused('takeover.fetchmail.unreadable');
    const fault = passwordFault(password);
    if (fault !== null) throw new Refused(`fetchmail.problem.password.${fault}`);
    return { ...found, query, reason: '', without };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { key, values } = error;
    return { ...found, query: null, password: '', reason: key, values, without: [] };
  }
}

function understand(server: Map, user: Map, circumstances: Circumstances): QueryValues {
  const { every, alone } = circumstances;
  const options = { ...server, ...user };
  for (const option of COMMANDS) {
    if (isSet(options[option])) throw new Refused('takeover.fetchmail.command', { option });
  }
  for (const option of INEXPRESSIBLE) {
    if (isSet(options[option])) throw new Refused('takeover.fetchmail.option', { option });
  }
  const auth = textOf(server['auth']);
  if (!['any', 'password', ''].includes(auth)) {
    throw new Refused('takeover.fetchmail.option', { option: `auth ${auth}` });
  }
  const elsewhere = textsOf(user['smtphunt']).find((host) => !isHere(host));
  if (elsewhere !== undefined)
    throw new Refused('takeover.fetchmail.smtphost', { host: elsewhere });
  const word = textOf(server['protocol']);
  const protocol = PROTOCOLS[word];
  if (protocol === undefined) throw new Refused('takeover.fetchmail.protocol', { protocol: word });
  const poll = textOf(server['pollname']);
  const host = hostOfName(textOf(server['via']) || poll).toLowerCase();
  const remoteUser = textOf(user['remote']);
  const sameServer = alone && hostOfName(poll).toLowerCase() === host;
  const query: QueryValues = {
    ...NEW_QUERY,
    ...{ name: alone ? poll : `${poll} (${remoteUser})`, sameServer, server: host },
    ...{ enabled: server['active'] === true, protocol, remoteUser },
    port: portOf(textOf(server['service'])),
    ...destinationOf(server, user, circumstances),
    ...securityOf(user),
    keep: user['keep'] === true,
    fetchAll: user['fetchall'] === true,
    folders: foldersOf(user),
    interval: intervalOf(every, numberOf(server['interval'])),
    timeout: numberOf(server['timeout']) || NEW_QUERY.timeout,
    sizeLimit: sizeOf(numberOf(user['limit'])),
    fetchLimit: numberOf(user['fetchlimit']) || null,
    batchLimit: numberOf(user['batchlimit']) || null,
    expunge: numberOf(user['expunge']) || null,
    dropDelivered: user['dropdelivered'] === true,
  };
  if (JSON.stringify(query).includes(UNREADABLE))
    throw new Refused('takeover.fetchmail.unreadable');
  const [fault] = faultsOf(query, { password: false });
  if (fault) {
    const value = String(query[fault.field] ?? '');
    throw new Refused(`fetchmail.problem.${fault.fault}`, { value });
  }
  return query;
}

/** The file has them as they are on the wire. */
function foldersOf(user: Map): readonly string[] {
  const folders = textsOf(user['mailboxes']);
  if (folders.length === 1 && folders[0] === 'INBOX') return [];
  return folders.map((folder) => {
    const name = decodeMailboxName(folder);
    if (name === null) {
      throw new Refused('takeover.fetchmail.option', { option: `folder ${shown(folder)}` });
    }
    return name;
  });
}

type To = Pick<
  QueryValues,
  | 'destination'
  | 'users'
  | 'address'
  | 'localDomains'
  | 'envelope'
  | 'envelopePrefix'
  | 'smtpDomain'
>;

/** fetchmail(1), THE USE AND ABUSE OF MULTIDROP MAILBOXES: more than one name is multidrop, too. */
function destinationOf(server: Map, user: Map, { caller, rest }: Circumstances): To {
  const nowhere = { users: [], address: '', localDomains: [], envelope: '', envelopePrefix: '' };
  const smtpDomain = textOf(user['smtpaddress']).toLowerCase();
  const fixed = textOf(user['smtpname']);
  const names = textsOf(user['localnames']);
  // A pair says which name there is which one here.
  if (names.length < listOf(user['localnames']).length)
    throw new Refused('takeover.fetchmail.mapping');
  const anybody = names.includes('*');
  const named = names.filter((name) => name !== '*' && !(anybody && name === caller));
  if (fixed !== '') return { ...nowhere, smtpDomain: '', ...addressOf(fixed) };
  if (anybody) {
    if (named.length > 0) throw new Refused('takeover.fetchmail.mapping');
    const domains = [...textsOf(server['localdomains']), ...textsOf(server['aka'])];
    const localDomains = [...new Set(domains.map((domain) => domain.toLowerCase()))];
    if (localDomains.length === 0) throw new Refused('takeover.fetchmail.noDomains');
    const envelope = textOf(server['envelope']);
    return {
      ...{ ...nowhere, destination: 'multidrop', localDomains, smtpDomain },
      users: restOf(rest, caller),
      envelope: envelope === 'Received' ? '' : envelope,
      envelopePrefix: textOf(server['qvirtual']),
    };
  }
  const [name = ''] = named;
  if (named.length > 1) throw new Refused('takeover.fetchmail.mapping');
  if (name === '' || name === caller) throw new Refused('takeover.fetchmail.nobody');
  if (name.includes('@')) return { ...nowhere, smtpDomain: '', ...addressOf(name) };
  if (smtpDomain !== '' && isAsciiDomain(smtpDomain)) {
    return { ...nowhere, smtpDomain: '', ...addressOf(`${name}@${smtpDomain}`) };
  }
  return { ...nowhere, smtpDomain: '', destination: 'user', users: [foldCase(name)] };
}

/** Without any word in the file it is the postmaster, or the account fetchmail runs as. */
function restOf(rest: string, caller: string): readonly string[] {
  if (rest === '' || rest === 'postmaster' || rest === caller) return [];
  if (rest.includes('@')) {
    throw new Refused('takeover.fetchmail.option', { option: `postmaster ${shown(rest)}` });
  }
  return [foldCase(rest)];
}

function addressOf(address: string): Pick<To, 'destination' | 'address'> {
  if (!address.includes('@') || !isTarget(address)) {
    throw new Refused('fetchmail.problem.address', { value: shown(address) });
  }
  return { destination: 'address', address };
}

function securityOf(user: Map): Pick<QueryValues, 'ssl' | 'certificate' | 'fingerprint'> {
  const fingerprint = textOf(user['sslfingerprint']).toUpperCase();
  // Empty words switch it off; no word lets fetchmail try STARTTLS, which we then insist on.
  const never = user['ssl'] !== true && user['sslproto'] === '';
  if (never) return { ssl: 'none', certificate: 'none', fingerprint: '' };
  const ssl = user['ssl'] === true ? 'tls' : 'starttls';
  if (fingerprint !== '') return { ssl, certificate: 'fingerprint', fingerprint };
  return { ssl, certificate: user['sslcertck'] === true ? 'check' : 'none', fingerprint: '' };
}

function portOf(service: string): number | null {
  if (service === '') return null;
  const port = SERVICES[service.toLowerCase()] ?? Number(service);
  if (!Number.isInteger(port))
    throw new Refused('fetchmail.problem.port', { value: shown(service) });
  return port;
}

/** Its `interval` counts rounds of the daemon. */
function intervalOf(every: number, rounds: number): number {
  if (every === 0) return NEW_QUERY.interval;
  return Math.min(MAX_INTERVAL_S, Math.max(MIN_INTERVAL_S, every * Math.max(1, rounds)));
}

function sizeOf(bytes: number): number | null {
  return bytes === 0 ? null : Math.max(0.01, Math.round((bytes / BYTES_PER_MB) * 100) / 100);
}

function isHere(host: string): boolean {
  return /^(?:localhost|127\.0\.0\.1|::1)(?:\/\w+)?$/.test(host);
}

function isSet(value: Dumped | undefined): boolean {
  return value !== undefined && value !== null && value !== false && value !== '' && value !== 0;
}

function isMap(value: Dumped): value is Map {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: Dumped | undefined): readonly Dumped[] {
  return Array.isArray(value) ? (value as readonly Dumped[]) : [];
}

function textsOf(value: Dumped | undefined): readonly string[] {
  return listOf(value).filter((one) => typeof one === 'string');
}

function textOf(value: Dumped | undefined): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: Dumped | undefined): number {
  return typeof value === 'number' ? value : 0;
}

function shown(text: string): string {
  return text.replaceAll(UNREADABLE, '?').slice(0, 200);
}
