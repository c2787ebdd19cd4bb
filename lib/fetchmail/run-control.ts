/**
 * A query as fetchmail's run control file (fetchmail(1)). Pure. Every word that comes from settings is quoted, with each
 * byte that is no letter or digit as `\xHH`: nothing in a value can end its word, and a value that is a keyword stays a value.
 * No command of any kind is ever written: there is no setting one could come from.
 */
import { encodeMailboxName } from './mailbox-name.js';
import { recipientsHere } from './recipients.js';
import {
  effectivePort,
  hasMailbox,
  needsLogin,
  type FetchProtocol,
  type FetchQuery,
} from './schema.js';

/** No mail system has a domain below this one (RFC 2606): only our own table knows addresses there. */
const NOWHERE = 'invalid';
export const QUERY_DOMAIN = ['fetchmail', NOWHERE].join('.');
const BYTES_PER_MB = 1_024 * 1_024;

/** The address under which a query's mail enters. */
export function queryAddress(id: string): string {
  return `fetchmail-${id}@${QUERY_DOMAIN}`;
}

/** `"pa\x22ss"`. Throws a `RangeError` for what cannot be a word: a NUL would end it, a line break begin a command. */
export function quoteWord(text: string): string {
  if (/[\0\r\n]/.test(text)) throw new RangeError('not a word of a run control file');
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  const escaped = bytes.replace(
    /[^A-Za-z0-9]/g,
    (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return `"${escaped}"`;
}

const PROTOCOL_WORDS: Readonly<Record<FetchProtocol, string>> = {
  imap: 'IMAP',
  pop3: 'POP3',
  auto: 'AUTO',
  apop: 'APOP',
  rpop: 'RPOP',
  kpop: 'KPOP',
  etrn: 'ETRN',
  odmr: 'ODMR',
};

/** What begins the line with those who get it, as far as they are here. */
export const PEOPLE_LINE = '# For';

export interface RunControlParts {
  readonly password: string;
  /** The domain at which local parts of foreign multidrop domains are delivered. */
  readonly home: string;
  /** Whether mail to a domain is delivered on this machine. */
  readonly isLocal: (domain: string) => boolean;
}

/** The whole file. The name of the query is not in it: what fetchmail remembers of seen mail survives renaming. */
export function renderRunControl(query: FetchQuery, parts: RunControlParts): string {
  return [
    `# Written by the mailserver console for query ${query.id}. Changes made here are lost.`,
    // fetchmail need not know them; whoever takes its mail asks whether they are still there (`fetcher/intake.ts`).
    `${PEOPLE_LINE} ${words(recipientsHere(query, parts.home, parts.isLocal))}`.trimEnd(),
    'set no syslog',
    'set no bouncemail',
    'set no spambounce',
    'set softbounce',
    `set postmaster ${quoteWord(queryAddress(query.id))}`,
    serverLine(query),
    ...multidropLines(query, parts).map(indent),
    ...userLines(query, parts).map(indent),
    '',
  ].join('\n');
}

function indent(line: string): string {
  return `  ${line}`;
}

function serverLine(query: FetchQuery): string {
  const port = effectivePort(query);
  return [
    `poll ${quoteWord(`query-${query.id}`)} via ${quoteWord(query.server)}`,
    `protocol ${PROTOCOL_WORDS[query.protocol]}`,
    ...(port === null ? [] : [`service ${port}`]),
    `timeout ${query.timeout} no dns`,
    // By default a message with a line in its header that is none stays behind, and nobody is told.
    'bad-header accept',
    // What was seen is remembered here, so that a message that was kept, or left by a broken line, is known again.
    ...(query.protocol === 'pop3' || query.protocol === 'apop' ? ['uidl'] : []),
  ].join(' ');
}

/** `localdomains` pass their addresses on as they are; of any other domain only the local part counts. */
function multidropLines(query: FetchQuery, { isLocal }: RunControlParts): readonly string[] {
  if (query.destination !== 'multidrop' || !hasMailbox(query.protocol)) return [];
  const { localDomains, smtpDomain, envelope, envelopePrefix } = query;
  const asTheyAre = localDomains.filter((domain) => smtpDomain === '' && isLocal(domain));
  const localPartOnly = localDomains.filter((domain) => !asTheyAre.includes(domain));
  return [
    ...(asTheyAre.length === 0 ? [] : [`localdomains ${words(asTheyAre)}`]),
    ...(localPartOnly.length === 0 ? [] : [`aka ${words(localPartOnly)}`]),
    ...(envelope === '' ? [] : [`envelope ${quoteWord(envelope)}`]),
    ...(envelopePrefix === '' ? [] : [`qvirtual ${quoteWord(envelopePrefix)}`]),
  ];
}

function userLines(query: FetchQuery, { password, home }: RunControlParts): readonly string[] {
  const mailbox = hasMailbox(query.protocol);
  const login = needsLogin(query.protocol)
    ? `user ${quoteWord(query.remoteUser)} there with password ${quoteWord(password)}`
    : `user ${quoteWord('nobody')} there`;
  const to = query.destination === 'multidrop' ? '*' : quoteWord(queryAddress(query.id));
  return [
    mailbox ? `${login} is ${to} here` : login,
    `smtpaddress ${quoteWord(query.smtpDomain || home || QUERY_DOMAIN)}`,
    ...(mailbox ? [] : [`fetchdomains ${words(query.localDomains)}`]),
    ...(mailbox ? connectionLines(query) : []),
    ...(mailbox ? fetchingLines(query) : []),
    ...limitLines(query),
  ];
}

function connectionLines({ ssl, certificate, fingerprint }: FetchQuery): readonly string[] {
  if (ssl === 'none') return ['no ssl sslproto "" no sslcertck'];
  return [
    `${ssl === 'tls' ? 'ssl' : 'no ssl'} sslproto "TLS1.2+"`,
    certificate === 'check' ? 'sslcertck' : 'no sslcertck',
    ...(certificate === 'fingerprint' ? [`sslfingerprint ${quoteWord(fingerprint)}`] : []),
  ];
}

function fetchingLines(query: FetchQuery): readonly string[] {
  const { keep, fetchAll, folders, sizeLimit, dropDelivered } = query;
  return [
    keep ? 'keep' : 'no keep',
    fetchAll ? 'fetchall' : 'no fetchall',
    'no flush no rewrite no mimedecode',
    dropDelivered ? 'dropdelivered' : 'no dropdelivered',
    // Options of IMAP alone break a POP3 query (fetchmail(1)).
    ...(query.protocol === 'imap' ? ['no idle'] : []),
    ...(folders.length === 0 ? [] : [`folder ${words(folders.map(encodeMailboxName))}`]),
    ...(sizeLimit === null ? [] : [`limit ${Math.round(sizeLimit * BYTES_PER_MB)}`]),
  ];
}

function limitLines({ fetchLimit, batchLimit, expunge, protocol }: FetchQuery): readonly string[] {
  return [
    ...(fetchLimit === null ? [] : [`fetchlimit ${fetchLimit}`]),
    ...(batchLimit === null ? [] : [`batchlimit ${batchLimit}`]),
    ...(expunge === null || !hasMailbox(protocol) ? [] : [`expunge ${expunge}`]),
  ];
}

function words(list: readonly string[]): string {
  return list.map(quoteWord).join(' ');
}
