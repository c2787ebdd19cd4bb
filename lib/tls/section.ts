/** TLS of smtpd(8) and smtp(8), and the submission services (postconf(5), TLS_README, SASL_README). */
import type {
  LoginService,
  MasterService,
  Refusal,
  Section,
  SectionOutput,
  SystemView,
  Unclear,
} from '../sections/section.js';
import { TLS_LEVELS, tlsSchema, type TlsLevel, type TlsSettings } from './schema.js';

/** Names each service may have in master.cf; the first one is ours. A private root has ports of its own. */
const SERVICES = {
  submission: ['submission/inet', '587/inet', '{submission}/inet'],
  submissions: ['submissions/inet', 'smtps/inet', '465/inet', '{submissions}/inet'],
} as const;
type Service = keyof typeof SERVICES;
/** The ports that the names in master.cf stand for (/etc/services). */
const USUAL_PORTS: Readonly<Record<Service, number>> = { submission: 587, submissions: 465 };

/** All but the pair we set: another kind of key beside it would be shown to those who prefer it. */
const OTHER_PAIRS = [
  'smtpd_tls_chain_files',
  'smtpd_tls_dcert_file',
  'smtpd_tls_dkey_file',
  'smtpd_tls_eccert_file',
  'smtpd_tls_eckey_file',
] as const;

/** Where Cyrus SASL finds that it shall ask saslauthd; a name of our own, so that nobody else's file is touched. */
const SASL_FILE = '/etc/postfix/sasl/mailserver.conf';

export const tlsSection: Section<TlsSettings> = {
  id: 'tls',
  schema: tlsSchema,
  owns: {
    parameters: [
      'smtpd_tls_security_level',
      'smtp_tls_security_level',
      'smtpd_tls_cert_file',
      'smtpd_tls_key_file',
      ...OTHER_PAIRS,
    ],
    lists: [],
    master: [...SERVICES.submission, ...SERVICES.submissions],
    tables: [],
    files: [SASL_FILE],
  },

  render(settings, system) {
    const submits = settings.submission || settings.submissions;
    const file = submits && system.login?.kind === 'saslauthd' ? saslFile(system.login) : null;
    return {
      parameters: {
        smtpd_tls_security_level: settings.incoming,
        smtp_tls_security_level: settings.outgoing,
        ...certificate(settings, system),
      },
      master: {
        ...service('submission', settings, system),
        ...service('submissions', settings, system),
      },
      files: { [SASL_FILE]: file },
    };
  },

  read(system) {
    const unclear: Unclear[] = [];
    const chain = system.parameter('smtpd_tls_cert_file');
    const pair = system.certificates?.find(({ chainFile }) => chainFile === chain);
    return {
      settings: {
        incoming: readLevel('smtpd_tls_security_level', system, unclear),
        outgoing: readLevel('smtp_tls_security_level', system, unclear),
        certificate: pair?.id ?? '',
        submission: presentName('submission', system) !== null,
        submissions: presentName('submissions', system) !== null,
      },
      unclear,
    };
  },

  refuses(before, after, system) {
    return refusedCertificate(before, after, system) ?? refusedSubmission(before, after, system);
  },
};

function certificate(
  { certificate }: TlsSettings,
  system: SystemView,
): Record<string, string | null> {
  const pair = system.certificates?.find(({ id }) => id === certificate);
  if (!pair) return {};
  return {
    smtpd_tls_cert_file: pair.chainFile,
    smtpd_tls_key_file: pair.keyFile,
    ...Object.fromEntries(OTHER_PAIRS.map((name) => [name, null])),
  };
}

function presentName(service: Service, system: SystemView): string | null {
  const names = [...SERVICES[service], ownName(service, system)];
  return names.find((name) => system.masterService(name) !== null) ?? null;
}

function ownName(service: Service, system: SystemView): string {
  const port = system.port(service);
  return port === USUAL_PORTS[service] ? SERVICES[service][0] : `${port}/inet`;
}

function service(
  which: Service,
  settings: TlsSettings,
  system: SystemView,
): NonNullable<SectionOutput['master']> {
  const present = presentName(which, system);
  if (settings[which]) {
    return { [present ?? ownName(which, system)]: submissionService(which, system.login ?? null) };
  }
  return present === null ? {} : { [present]: null };
}

/** Only people who have logged in, only encrypted, and none of the checks that are meant for strangers. */
function submissionService(which: Service, login: LoginService | null): MasterService {
  return {
    type: 'inet',
    private: 'n',
    unprivileged: '-',
    chroot: 'n',
    wakeup: '-',
    maxproc: '-',
    command: 'smtpd',
    options: [
      ['syslog_name', `postfix/${which}`],
      ...(which === 'submissions' ? [['smtpd_tls_wrappermode', 'yes'] as const] : []),
      ['smtpd_tls_security_level', 'encrypt'],
      ['smtpd_tls_auth_only', 'yes'],
      ['smtpd_sasl_auth_enable', 'yes'],
      ...loginOptions(login),
      ['smtpd_client_restrictions', ''],
      ['smtpd_helo_restrictions', ''],
      ['smtpd_sender_restrictions', ''],
      ['smtpd_relay_restrictions', 'permit_sasl_authenticated,reject'],
      ['smtpd_recipient_restrictions', ''],
      ['smtpd_client_event_limit_exceptions', 'static:all'],
      ['milter_macro_daemon_name', 'ORIGINATING'],
    ],
  };
}

function loginOptions(login: LoginService | null): readonly (readonly [string, string])[] {
  switch (login?.kind) {
    case 'dovecot':
      return [
        ['smtpd_sasl_type', 'dovecot'],
        ['smtpd_sasl_path', login.path],
      ];
    case 'saslauthd':
      return [
        ['smtpd_sasl_type', 'cyrus'],
        ['smtpd_sasl_path', 'mailserver'],
        ['cyrus_sasl_config_path', login.configFolder],
      ];
    case undefined:
      return [];
  }
}

function saslFile({ path }: LoginService) {
  return {
    content: `# Written by the mailserver plugin; changes are overwritten.\npwcheck_method: saslauthd\nsaslauthd_path: ${path}\nmech_list: PLAIN LOGIN\n`,
    mode: 0o644 as const,
  };
}

function readLevel(parameter: string, system: SystemView, unclear: Unclear[]): TlsLevel {
  const value = system.parameter(parameter) || 'none';
  const level = TLS_LEVELS.find((one) => one === value);
  if (level === undefined) unclear.push({ parameter, value, key: 'tls.unclear.level' });
  return level ?? 'may';
}

function refusedCertificate(
  before: TlsSettings | null,
  { certificate }: TlsSettings,
  { certificates = [] }: SystemView,
): Refusal | null {
  if (certificate === '' || certificate === before?.certificate) return null;
  const pair = certificates.find(({ id }) => id === certificate);
  if (pair && pair.problem === null) return null;
  return { field: 'certificate', key: pair?.problem ?? 'certificate.problem.gone' };
}

/**
 * Where encryption is demanded and there is no certificate, nobody gets through; and a login without anybody to ask for
 * passwords would be refused to everyone.
 */
function refusedSubmission(
  before: TlsSettings | null,
  after: TlsSettings,
  system: SystemView,
): Refusal | null {
  const submission = (['submission', 'submissions'] as const).find(
    (which) => after[which] && !before?.[which],
  );
  const demanding = after.incoming === 'encrypt' && before?.incoming !== 'encrypt';
  const field = submission ?? (demanding ? 'incoming' : null);
  if (field !== null && after.certificate === '' && !hasCertificate(system)) {
    return { field, key: 'tls.problem.noCertificate' };
  }
  if (submission === undefined || system.login) return null;
  return { field: submission, key: 'tls.problem.noLogin' };
}

function hasCertificate(system: SystemView): boolean {
  const names = ['smtpd_tls_cert_file', 'smtpd_tls_chain_files', 'smtpd_tls_eccert_file'];
  return names.some((name) => system.parameter(name) !== '');
}
