/**
 * Security: spam and virus scanners, wired into Postfix by amavis (FILTER_README, SMTPD_PROXY_README).
 *
 * Mail is scanned once. What has been looked at comes back by listeners of our own, which judge nothing again. The listener
 * for mail from other providers hands it over by a port of its own (see the section fetchmail).
 */
import { staticDestinations } from '../aliases/home-domain.js';
import type { BaseSettings } from '../base/schema.js';
import { isAsciiDomain } from '../domains/schema.js';
import { exceptionLists } from '../exceptions/schema.js';
import { expand } from '../sections/expand.js';
import type { AllSettings, MasterService, Section, SystemView } from '../sections/section.js';
import { parseElement, formatNetwork } from '../relay-subnets/network.js';
import { renderAmavis, SCANNED_AT_ONCE } from './amavis.js';
import { AMAVIS_FILE, CLAMD_FILE, SPAMASSASSIN_FILE } from './places.js';
import { SECURITY_DEFAULTS, securitySchema, type SecuritySettings } from './schema.js';
import { renderSpamAssassin } from './spamassassin.js';

/** The way to amavis, and the queue's end of the way back. */
export const SCAN_TRANSPORT = 'mailserver-scan';
const BACK_CLEANUP = 'mailserver-back';

/** What `content_filter` says for mail of the given kind. */
export function contentFilter(
  system: Pick<SystemView, 'port'>,
  port: 'amavisIn' | 'amavisFetched',
): string {
  return `${SCAN_TRANSPORT}:[127.0.0.1]:${system.port(port)}`;
}

/** Whether mail is scanned, as far as the settings say. */
export function isScanning(all: AllSettings): boolean {
  const settings = all['security'] as SecuritySettings | undefined;
  return settings !== undefined && (settings.spam || settings.virus);
}

export const securitySection: Section<SecuritySettings> = {
  id: 'security',
  schema: securitySchema,
  follows: ['domains', 'base', 'relay', 'exceptions'],
  owns: {
    parameters: ['content_filter', 'smtpd_proxy_filter', 'smtpd_proxy_options'],
    lists: [],
    master: [
      `${SCAN_TRANSPORT}/unix`,
      `${BACK_CLEANUP}/unix`,
      '127.0.0.1:{amavisBack}/inet',
      '127.0.0.1:{amavisProxyBack}/inet',
    ],
    tables: [],
    files: [AMAVIS_FILE, SPAMASSASSIN_FILE],
    directives: [CLAMD_FILE],
  },

  render(settings, system, all) {
    const on = settings.spam || settings.virus;
    const listener = (name: 'amavisBack' | 'amavisProxyBack'): string =>
      `127.0.0.1:${system.port(name)}/inet`;
    const before = on && settings.place === 'before';
    return {
      parameters: {
        ...(on ? { content_filter: contentFilter(system, 'amavisIn') } : {}),
        ...(before
          ? {
              smtpd_proxy_filter: `127.0.0.1:${system.port('amavisProxy')}`,
              // The whole mail is here before amavis is asked, so that a slow sender does not keep it waiting.
              smtpd_proxy_options: 'speed_adjust',
            }
          : {}),
      },
      master: {
        [`${SCAN_TRANSPORT}/unix`]: on ? scanTransport() : null,
        [`${BACK_CLEANUP}/unix`]: on ? backCleanup() : null,
        [listener('amavisBack')]: on ? backListener('no_address_mappings') : null,
        [listener('amavisProxyBack')]: before ? backListener(null) : null,
      },
      files: on
        ? filesFor(settings, system, all)
        : { [AMAVIS_FILE]: null, [SPAMASSASSIN_FILE]: null },
      directives: settings.virus ? { [CLAMD_FILE]: clamdDirectives(settings) } : {},
    };
  },

  read(system) {
    const value = system.parameter('content_filter');
    const ours = value.startsWith(`${SCAN_TRANSPORT}:`);
    const foreign = value !== '' && !ours;
    return {
      settings: SECURITY_DEFAULTS,
      unclear: foreign
        ? [{ parameter: 'content_filter', value, key: 'security.unclear.contentFilter' }]
        : [],
    };
  },

  daemons(settings) {
    const on = settings.spam || settings.virus;
    return [
      { daemon: 'clamav-freshclam', wanted: settings.virus, proved: false },
      { daemon: 'clamav-daemon', wanted: settings.virus, proved: true },
      { daemon: 'amavis', wanted: on, proved: true },
    ];
  },
};

function filesFor(settings: SecuritySettings, system: SystemView, all: AllSettings) {
  const networks = networksOf(all, system);
  const surroundings = {
    root: system.paths.stateDir.replace(/\/var\/lib\/mailserver-helper$/, ''),
    hostName: hostNameOf(all, system),
    localDomains: localDomainsOf(all, system),
    networks,
    exceptions: exceptionLists(all['exceptions']),
    port: system.port,
  };
  return {
    [AMAVIS_FILE]: { content: renderAmavis(settings, surroundings), mode: 0o644 as const },
    [SPAMASSASSIN_FILE]: {
      content: renderSpamAssassin(settings, networks),
      mode: 0o644 as const,
    },
  };
}

function clamdDirectives({
  archives,
  largestObjectMb,
}: SecuritySettings): Readonly<Record<string, string>> {
  const size = `${largestObjectMb}M`;
  return {
    ScanArchive: archives ? 'true' : 'false',
    MaxFileSize: size,
    // All that comes out of one archive together.
    MaxScanSize: `${largestObjectMb * SCAN_SIZE_FACTOR}M`,
    StreamMaxLength: size,
  };
}
/** As ClamAV's own defaults have it. */
const SCAN_SIZE_FACTOR = 4;

function localDomainsOf(all: AllSettings, system: SystemView): readonly string[] {
  const saved = all['domains'] as { readonly names: readonly string[] } | undefined;
  return [...new Set([...(saved?.names ?? []), ...staticDestinations(system)])];
}

/** This machine, and the plain networks of those who may send through it. */
function networksOf(all: AllSettings, system: SystemView): readonly string[] {
  const saved = all['relay'] as { readonly networks: readonly string[] } | undefined;
  const present = system
    .parameter('mynetworks')
    .split(/[\s,]+/)
    .flatMap((element) => {
      const network = parseElement(element);
      return network === null ? [] : [formatNetwork(network)];
    });
  return [...new Set(['127.0.0.0/8', '::1', ...(saved?.networks ?? present)])];
}

/** amavis insists on a name with a dot in it. */
function hostNameOf(all: AllSettings, system: SystemView): string {
  const base = all['base'] as BaseSettings | undefined;
  const name = (
    base?.mailServerName || expand(system.parameter('myhostname'), system)
  ).toLowerCase();
  if (!isAsciiDomain(name)) return 'localhost.localdomain';
  return name.includes('.') ? name : `${name}.localdomain`;
}

const COLUMNS = { private: '-', unprivileged: '-', chroot: 'n', wakeup: '-' } as const;

function scanTransport(): MasterService {
  return {
    ...COLUMNS,
    type: 'unix',
    maxproc: String(SCANNED_AT_ONCE),
    command: 'smtp',
    options: [
      ['syslog_name', 'postfix/scan'],
      // A large mail with many archives takes its time.
      ['smtp_data_done_timeout', '1200'],
      // One that is kept holds a process of amavis for minutes while many mails come, and it seems not to answer.
      ['smtp_connection_cache_on_demand', 'no'],
      ['smtp_send_xforward_command', 'yes'],
      ['smtp_tls_security_level', 'none'],
      ['smtp_sasl_auth_enable', 'no'],
      ['disable_dns_lookups', 'yes'],
      ['smtp_generic_maps', ''],
      ['smtp_header_checks', ''],
      ['max_use', '20'],
    ],
  };
}

/** The queue's entrance for what comes back: amavis adds a few lines, and what was taken once must fit again. */
function backCleanup(): MasterService {
  return {
    ...COLUMNS,
    type: 'unix',
    // Where smtpd(8) looks for it.
    private: 'n',
    maxproc: '0',
    command: 'cleanup',
    options: [
      ['syslog_name', 'postfix/back'],
      ['message_size_limit', '0'],
    ],
  };
}

/** `omit` is what was done before the mail went to amavis, besides all checks. */
function backListener(omit: string | null): MasterService {
  const overrides = ['no_unknown_recipient_checks', 'no_header_body_checks', 'no_milters'];
  return {
    ...COLUMNS,
    type: 'inet',
    private: 'n',
    maxproc: '-',
    command: 'smtpd',
    options: [
      ['syslog_name', 'postfix/back'],
      ['cleanup_service_name', BACK_CLEANUP],
      ['content_filter', ''],
      ['smtpd_proxy_filter', ''],
      ['smtpd_milters', ''],
      ['receive_override_options', [...overrides, ...(omit === null ? [] : [omit])].join(',')],
      ['mynetworks', '127.0.0.0/8'],
      ['message_size_limit', '0'],
      ['local_header_rewrite_clients', ''],
      ['smtpd_authorized_xclient_hosts', ''],
      ['smtpd_authorized_xforward_hosts', '127.0.0.0/8'],
      ['smtpd_helo_required', 'no'],
      ['smtpd_client_restrictions', ''],
      ['smtpd_helo_restrictions', ''],
      ['smtpd_sender_restrictions', ''],
      ['smtpd_relay_restrictions', 'permit_mynetworks,reject'],
      ['smtpd_recipient_restrictions', 'permit_mynetworks,reject'],
      ['smtpd_data_restrictions', ''],
      ['smtpd_end_of_data_restrictions', ''],
      ['smtpd_sasl_auth_enable', 'no'],
      ['smtpd_tls_security_level', 'none'],
      ['smtpd_client_connection_count_limit', '0'],
      ['smtpd_client_connection_rate_limit', '0'],
      ['smtpd_error_sleep_time', '0'],
      ['smtpd_soft_error_limit', '1001'],
      ['smtpd_hard_error_limit', '1000'],
      ['strict_rfc821_envelopes', 'no'],
    ],
  };
}
