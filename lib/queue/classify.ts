/**
 * Sorts a reason into one of the causes: by Postfix' own phrases, by what servers are known to say, and by enhanced
 * status codes where the words leave it open. What fits nothing stays `unknown`: no guess is better than a wrong one.
 */
import type { Cause } from './causes.js';
import { parseReason, type ParsedReason } from './reason.js';
import { REPLY_RULES, STATUS_CODES, type Rule } from './reply-rules.js';

/** Ports at which mailbox servers take mail by LMTP: the standard's, Kopano and Zarafa, Zimbra. */
const MAILBOX_PORTS: ReadonlySet<number> = new Set([24, 2003, 7025]);

/** Ports at which mail filters listen on this machine: amavis, re-injection, spampd, spamd, ClamAV's SMTP proxy. */
const FILTER_PORTS: ReadonlySet<number> = new Set([783, 10024, 10025, 10026, 10027, 10028]);

/** What Postfix says of its own accord. The first rule that fits decides. */
const OWN_RULES: readonly Rule[] = [
  ['ourDisk', /no space left on device/],
  [
    'mailboxFull',
    /quota exceeded while|disk quota exceeded|over quota|overdrawn his diskspace|disk quota/,
  ],
  [
    'dns',
    /host not found, try again|temporary failure in name resolution|^unable to look up host .*: try again$/,
  ],
  ['dns', /host name lookup failure|cname lookup failed|lookup error for/],
  ['domainUnknown', /host or domain name not found|name or service not known/],
  ['domainUnknown', /no address associated with|does not accept mail \(nullmx\)/],
  ['timeout', /^deferred: connection timed out|wasn't able to establish an smtp connection/],
  ['localService', /^deferred: connection refused by \[127\./],
  ['refused', /^(?:deferred: )?connection refused/],
  ['network', /^deferred: (?:no route to host|network is unreachable)/],
  ['broken', /^deferred: connection reset/],
  [
    'tls',
    /tls is required|cannot start tls|server certificate not|non.dnssec destination|tlsa records/,
  ],
  ['tls', /certificate verification failed|no matching cipher/],
  ['loop', /loops back to myself|too many hops/],
  ['tooLarge', /message size \d+ exceeds size limit/],
  [
    'localDelivery',
    /^temporary failure|^cannot update mailbox|^(?:maildir )?delivery failed|^user lookup error/,
  ],
  [
    'localDelivery',
    /alias database|lock file|unable to lock|^cannot (?:open|create|access) (?:file|mailbox|maildir)/,
  ],
  ['userUnknown', /^unknown user:/],
  [
    'ourConfiguration',
    /mail transport unavailable|unknown mail transport error|mail system configuration error/,
  ],
  [
    'ourConfiguration',
    /address resolver failure|server configuration (?:error|problem)|bad command startup/,
  ],
];

/** What another server would have to repair itself. */
const OWN_SERVICE_FAULTS: ReadonlySet<Cause> = new Set(['busy', 'later', 'broken', 'unknown']);

/** Replies of the login that are no wrong password. */
const LOGIN_RULES: readonly Rule[] = [
  ['rateLimited', /maximum credits exceeded|too many messages/],
];

/** Causes of failing to connect, by the system's own words (strerror(3)). */
const CONNECT_RULES: readonly Rule[] = [
  ['refused', /connection refused/],
  ['timeout', /timed out|read timeout/],
  ['broken', /connection reset|dropped connection/],
  [
    'network',
    /unreachable|no route to host|cannot assign|host is down|permission denied|not permitted/,
  ],
];

/** The cause of a reason as `postqueue` or the log words it; '' is a recipient that was not tried yet. */
export function classify(reason: string): Cause {
  if (reason === '') return 'notTried';
  const parsed = parseReason(reason);
  switch (parsed.kind) {
    case 'login':
      return firstOf(LOGIN_RULES, parsed.words) ?? 'smarthostLogin';
    case 'connect':
      return parsed.local || isMailboxServer(parsed)
        ? localService(parsed)
        : (firstOf(CONNECT_RULES, parsed.words) ?? firstOf(OWN_RULES, parsed.words) ?? 'unknown');
    case 'conversation':
      return parsed.local ? localService(parsed) : 'broken';
    case 'own':
      return firstOf(OWN_RULES, parsed.words) ?? firstOf(REPLY_RULES, parsed.words) ?? 'unknown';
    case 'reply':
      return classifyReply(parsed);
  }
}

function classifyReply(parsed: ParsedReason): Cause {
  if (isPostscreen(parsed)) return 'greylisted';
  const said = firstOf(REPLY_RULES, parsed.words) ?? STATUS_CODES[parsed.enhanced] ?? 'unknown';
  if (!parsed.local || !OWN_SERVICE_FAULTS.has(said)) return said;
  // A service of this machine that has a fault of its own is ours to repair.
  if (/\bmta\b|virus|quarantin|\bid=\d|shutting down, closing channel/.test(parsed.words)) {
    return 'scanner';
  }
  // What answers on loopback may be a tunnel: then it is the smarthost that speaks.
  return parsed.address.includes('/') ? 'localDelivery' : said;
}

/** postscreen(8) lets nobody in at the first visit after its deeper tests, and says just this. */
function isPostscreen({ code, enhanced, words }: ParsedReason): boolean {
  return code === 450 && enhanced === '3.2' && words === 'service currently unavailable';
}

function isMailboxServer({ port }: ParsedReason): boolean {
  return port !== null && MAILBOX_PORTS.has(port);
}

/** A socket is how mailbox servers are reached; what else listens on loopback, a tunnel or a relay, only its port could tell. */
function localService(parsed: ParsedReason): Cause {
  const { port, address } = parsed;
  if (port !== null && FILTER_PORTS.has(port)) return 'scanner';
  return address.includes('/') || isMailboxServer(parsed) ? 'localDelivery' : 'localService';
}

function firstOf(rules: readonly Rule[], words: string): Cause | null {
  return rules.find(([, pattern]) => pattern.test(words))?.[0] ?? null;
}
