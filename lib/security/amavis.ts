/**
 * Our part of amavis' configuration. The file is a program that root runs: nothing comes into it but numbers, and words of
 * a grammar that knows no quote and no backslash, between single quotes.
 */
import type { ExceptionLists } from '../exceptions/schema.js';
import type { InnerPort } from '../sections/section.js';
import { CLAMD_SOCKET, QUARANTINE_FOLDER } from './places.js';
import type { SecuritySettings } from './schema.js';

/** What amavis must know besides the settings of its own pages. */
export interface AmavisSurroundings {
  /** Folder of the private root; '' on a machine. */
  readonly root: string;
  /** A name with a dot, which amavis insists on. */
  readonly hostName: string;
  /** Domains whose mail is delivered here; the first names us in notices. */
  readonly localDomains: readonly string[];
  /** Who sends through us without being a stranger, as `formatNetwork` writes them. */
  readonly networks: readonly string[];
  /** Whose mail is never taken for spam; for a virus it is, like everybody's. */
  readonly exceptions: ExceptionLists;
  readonly port: (name: InnerPort) => number;
}

/** How many mails of the queue are looked at at once. Each takes a processor for a while, and 150 MB. */
export const SCANNED_AT_ONCE = 2;
/** No score comes that far. */
const NEVER = 9_999;
/** A port of the system (tcpmux) at which nobody has listened for decades. */
const NOBODY_LISTENS = 1;
/** SpamAssassin looks at larger mail too slowly for what it finds there, in bytes: spam is small. */
const LARGEST_SPAM_BYTES = 512 * 1024;

/** It would take archives apart before it asks the scanner, whatever that one was told. */
const CLOSED_ARCHIVES = "@decoders = (['mail', \\&Amavis::Unpackers::do_mime_decode]);\n";
/** amavis puts `X-Virus-Scanned` into what it passes on unscanned too: then no mail says it. */
const UNCLAIMED = "$X_HEADER_LINE = '';\n$undecipherable_subject_tag = '***UNCHECKED*** ';\n";

/** What senders and clients of exceptions are made of (`exceptions/value.ts`): nothing of it means anything between quotes. */
const EXCEPTED = /^[a-z0-9_%+=&~.:/@-]+$/;
const TOKEN = /^[A-Za-z0-9 *#!?:._()[\]<>+=~@/-]*$/;

/** A word as Perl takes it literally. Throws a `RangeError` on anything that could end it or mean something. */
function quoted(text: string): string {
  if (!TOKEN.test(text)) throw new RangeError(`not a plain word: ${JSON.stringify(text)}`);
  return `'${text}'`;
}

function number(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError('not a number');
  return String(value);
}

function list(texts: readonly string[]): string {
  return texts.map(quoted).join(', ');
}

function excepted(text: string): string {
  if (!EXCEPTED.test(text)) throw new RangeError(`no exception: ${JSON.stringify(text)}`);
  return `'${text}'`;
}

export function renderAmavis(
  settings: SecuritySettings,
  { root, hostName, localDomains, networks, exceptions, port }: AmavisSurroundings,
): string {
  const { spam, virus, keepLevel } = settings;
  const tag = settings.subjectTag === '' ? 'undef' : quoted(`${settings.subjectTag} `);
  const kept = keepLevel !== null;
  const back = (name: InnerPort): string => quoted(`smtp:[127.0.0.1]:${port(name)}`);
  const alert = settings.alertAddress === '' ? 'undef' : quoted(settings.alertAddress);
  return `# Written by the mailserver plugin; changes are overwritten.
use strict;

$myhostname = ${quoted(hostName)};
$mydomain = ${quoted(localDomains.find((name) => name.includes('.')) ?? hostName)};
@local_domains_maps = ([${list(localDomains)}]);
@mynetworks = (${list(networks)});

# Mail comes in by the port that says how it is to be treated, and goes back to Postfix.
# As many as mails that come out of the queue at once, and one for whoever is still there and waits for an answer.
$max_servers = ${number(SCANNED_AT_ONCE + 1)};
$inet_socket_bind = '127.0.0.1';
$inet_socket_port = [${(['amavisIn', 'amavisFetched', 'amavisProxy', 'amavisProbe'] as const)
    .map((name) => number(port(name)))
    .join(', ')}];
$forward_method = ${back('amavisBack')};
$notify_method = $forward_method;
$interface_policy{'${number(port('amavisFetched'))}'} = 'FETCHED';
$interface_policy{'${number(port('amavisProxy'))}'} = 'PROXY';
$interface_policy{'${number(port('amavisProbe'))}'} = 'PROBE';

@bypass_spam_checks_maps = (${spam ? 0 : 1});
@bypass_virus_checks_maps = (${virus ? 0 : 1});
@bypass_banned_checks_maps = (1);
@bypass_header_checks_maps = (1);

$sa_tag_level_deflt = ${number(settings.tagLevel)};
$sa_tag2_level_deflt = ${number(settings.markLevel)};
$sa_kill_level_deflt = ${number(keepLevel ?? NEVER)};
$sa_quarantine_cutoff_level = undef;
$sa_spam_subject_tag = ${tag};
$sa_spam_modifies_subj = ${settings.subjectTag === '' ? 0 : 1};
$sa_local_tests_only = ${settings.networkTests ? 0 : 1};
$sa_mail_body_size_limit = ${number(LARGEST_SPAM_BYTES)};

# What was taken is never bounced: its sender is made up.
$final_virus_destiny = D_DISCARD;
$final_spam_destiny = ${kept ? 'D_DISCARD' : 'D_PASS'};
$final_banned_destiny = D_PASS;
$final_bad_header_destiny = D_PASS;
$QUARANTINEDIR = ${quoted(root + QUARANTINE_FOLDER)};
$quarantine_subdir_levels = 0;
$virus_quarantine_method = 'local:virus-%m';
$spam_quarantine_method = 'local:spam-%m';
$banned_files_quarantine_method = 'local:banned-%m';
$bad_header_quarantine_method = 'local:badh-%m';
$virus_quarantine_to = 'virus-quarantine';
$spam_quarantine_to = ${kept ? "'spam-quarantine'" : 'undef'};
$banned_quarantine_to = undef;
$bad_header_quarantine_to = undef;
$virus_admin = ${alert};
$spam_admin = undef;
$banned_admin = undef;
$bad_header_admin = undef;
$mailfrom_notify_admin = '';

${virus && !settings.archives ? CLOSED_ARCHIVES : ''}@av_scanners = (${virus ? scanner(root) : ''});
@av_scanners_backup = ();
$virus_scanners_failure_is_fatal = ${settings.whileDown === 'wait' ? 1 : 0};
${settings.whileDown === 'wait' ? '' : UNCLAIMED}
${spam ? excepting(exceptions) : ''}# Mail from other providers comes from this machine, and is not from here.
$policy_bank{'FETCHED'} = {
  mynetworks_maps => [],
  client_ipaddr_policy => [],
  originating => 0,
};
# Whoever sends is still there, and is told.
$policy_bank{'PROXY'} = {
  forward_method => ${back('amavisProxyBack')},
  final_virus_destiny => D_REJECT,
  final_spam_destiny => ${kept ? 'D_REJECT' : 'D_PASS'},
};
# What the mailserver plugin asks whether everything is found: refused, told nobody, kept nowhere, delivered by nobody.
$policy_bank{'PROBE'} = {
  forward_method => 'smtp:[127.0.0.1]:${NOBODY_LISTENS}',
  final_virus_destiny => D_REJECT,
  final_spam_destiny => D_REJECT,
  spam_kill_level_maps => [${number(settings.markLevel)}],
  virus_quarantine_method => undef,
  spam_quarantine_method => undef,
  virus_admin_maps => [],
  whitelist_sender_maps => [],
  client_ipaddr_policy => [],
};

1;
`;
}

/**
 * Senders by the envelope and by the From line, domains with all below them; clients by the address that Postfix passes on
 * (XFORWARD). What fetchmail brings comes from no client, and the probe is judged like a stranger's mail.
 */
function excepting({ domains, addresses, ips, networks }: ExceptionLists): string {
  const senders = [...domains.map((name) => `.${name}`), ...addresses];
  const clients = [...ips, ...networks];
  return [
    ...(senders.length > 0
      ? [
          '# The exceptions: never taken for spam.',
          '@whitelist_sender_maps = ({',
          ...senders.map((sender) => `  ${excepted(sender)} => 1,`),
          '});',
          '',
        ]
      : []),
    ...(clients.length > 0
      ? [
          '# Excepted servers and networks: not looked at for spam.',
          '@client_ipaddr_policy = ([',
          ...clients.map((client) => `  ${excepted(client)},`),
          "] => 'EXCEPTED', \\@mynetworks => 'MYNETS');",
          "$policy_bank{'EXCEPTED'} = {",
          '  bypass_spam_checks_maps => [1],',
          '};',
          '',
        ]
      : []),
    '',
  ].join('\n');
}

/** clamd is given a folder, and answers with a line per file (clamd(8), CONTSCAN). */
function scanner(root: string): string {
  return `
  ['ClamAV-clamd', \\&ask_daemon, ["CONTSCAN {}\\n", ${quoted(root + CLAMD_SOCKET)}],
    qr/\\bOK$/m, qr/\\bFOUND$/m, qr/^.*?: (?!Infected Archive)(.*) FOUND$/m],
`;
}
