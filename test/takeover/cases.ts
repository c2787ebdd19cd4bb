/** What each of the mail servers in `corpus` must be found to be, from Postfix' own documentation. */

export interface Case {
  /** `parameter reason` of every contradiction; the part of a shared parameter that is meant is not named. */
  readonly contradictory?: readonly string[];
  /** Some of what must be understood. */
  readonly understood?: readonly string[];
  /** Some of what must be left alone. */
  readonly left?: readonly string[];
  /** By section: settings that must be read so. */
  readonly settings?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** `postfix check` has something to say, as it had before. */
  readonly broken?: boolean;
}

export const CASES: Readonly<Record<string, Case>> = {
  'debian-internet-site': {
    understood: [
      'myhostname',
      'mydestination',
      'mynetworks',
      'relayhost',
      'smtpd_tls_security_level',
    ],
    left: ['biff', 'smtpd_banner', 'smtp_tls_session_cache_database', 'inet_interfaces'],
    settings: {
      base: { mailServerName: 'mail.firma.example', delivery: 'system' },
      domains: { names: ['firma.example', 'localhost.firma.example'] },
      relay: { networks: ['127.0.0.0/8', '::1'] },
      smarthost: { host: '' },
    },
  },
  'debian-satellite': {
    settings: { smarthost: { host: 'mail.firma.example', port: 25, mx: true, username: '' } },
  },
  'debian-local-only': {
    understood: ['default_transport'],
    left: ['relay_transport'],
    settings: { relay: { networks: ['127.0.0.0/8'] } },
  },
  'smarthost-587': {
    settings: {
      smarthost: {
        host: 'smtp.provider.example',
        port: 587,
        mx: false,
        tls: 'starttls',
        verify: false,
        username: 'verein@provider.example',
      },
      relay: { networks: ['127.0.0.0/8', '192.168.10.0/24'] },
    },
  },
  'smarthost-lmdb-secure': {
    settings: {
      smarthost: { tls: 'starttls', verify: true, username: 'praxis' },
      domains: { names: ['praxis.example'] },
    },
  },
  'smarthost-texthash-mx': {
    settings: { smarthost: { host: 'isp.example', mx: true, tls: 'may', username: 'werkstatt' } },
  },
  'smarthost-smtps-wrapper': {
    understood: ['smtp_tls_wrappermode'],
    settings: { smarthost: { port: 465, tls: 'smtps', username: 'laden' } },
  },
  'smarthost-policy-table': { settings: { smarthost: { port: 25, tls: 'starttls' } } },
  'smarthost-login-off': {
    contradictory: ['smtp_sasl_password_maps loginOff'],
    settings: { smarthost: { username: '' } },
  },
  'smarthost-no-passwords': {
    contradictory: ['smtp_sasl_auth_enable noPasswords'],
    settings: { smarthost: { username: '' } },
  },
  'smarthost-ipv6': {
    settings: {
      smarthost: { host: '2001:db8:25::7', port: 2525, tls: 'none' },
      relay: { networks: ['127.0.0.0/8', '::1', '2001:db8:1::/48'] },
    },
  },
  'relayhost-is-myself': { contradictory: ['relayhost loop'] },
  'multi-line-values': {
    settings: {
      base: { mailServerName: 'mail.lang.example', maxMessageSizeMb: 50 },
      domains: { names: ['lang.example', 'alt.example'] },
      relay: { networks: ['127.0.0.0/8', '10.1.0.0/16', '10.2.0.0/16'] },
    },
  },
  'comments-everywhere': {
    settings: {
      base: { mailServerName: 'praxis-mueller.example', maxMessageSizeMb: 20 },
      domains: { names: ['praxis-mueller.example'] },
    },
  },
  'dollar-references': {
    left: ['our_lan', 'mydomain', 'smtpd_banner'],
    settings: { base: { mailServerName: 'mx1.verbund.example' } },
  },
  'defined-references': {
    left: ['filial_netz', 'stadt', 'groesse'],
    settings: { base: { maxMessageSizeMb: 30 } },
  },
  'undefined-reference': { contradictory: ['mydestination undefined'] },
  'misspelled-parameter': { contradictory: ['mesage_size_limit unused'] },
  'relayhost-mydomain': { settings: { smarthost: { host: 'zweig.example', mx: true, port: 25 } } },
  'set-twice': {
    contradictory: ['myhostname twice', 'mydestination twice'],
    settings: {
      base: { mailServerName: 'dann.example' },
      domains: { names: ['dann.example'] },
    },
  },
  'size-abc': { contradictory: ['message_size_limit number'], broken: true },
  'size-larger-than-mailbox': { contradictory: ['message_size_limit sizes'] },
  'size-unlimited': { settings: { base: { maxMessageSizeMb: null } } },
  'networks-300': {
    contradictory: ['mynetworks network'],
    settings: { relay: { networks: ['127.0.0.0/8'] } },
  },
  'networks-host-bits': { contradictory: ['mynetworks hostBits'] },
  'networks-everybody': {
    contradictory: ['mynetworks open'],
    settings: { relay: { networks: [] } },
  },
  'networks-tables': {
    understood: ['mynetworks'],
    settings: { relay: { networks: ['127.0.0.0/8', '10.0.0.0/8'] } },
  },
  'networks-style': { contradictory: ['mynetworks_style overruled'] },
  'old-tls-parameters': {
    contradictory: ['smtp_use_tls overruled'],
    left: ['smtpd_use_tls'],
  },
  'master-overrides': {
    contradictory: ['smtp/inet -o message_size_limit override', 'smtp/inet -o mynetworks override'],
  },
  'master-amavis': { left: ['content_filter', '127.0.0.1:10025/inet -o mynetworks'] },
  'virtual-alias-hash': { left: ['alias_maps', 'virtual_alias_maps'] },
  'virtual-alias-many-types': { left: ['virtual_alias_maps'] },
  'alias-twice': { contradictory: ['alias_maps aliasTwice'] },
  'domain-in-two-classes': { contradictory: ['virtual_mailbox_domains classes'] },
  'missing-table': { contradictory: ['transport_maps table', 'virtual_alias_maps table'] },
  'unknown-table-type': { contradictory: ['transport_maps tableType'] },
  'no-reject': { contradictory: ['smtpd_relay_restrictions noReject'] },
  'plesk-like': {
    left: ['virtual_mailbox_domains', 'virtual_transport'],
    settings: {
      base: { mailServerName: 'vps77.hoster.example' },
      relay: { networks: ['127.0.0.0/8', '::1'] },
    },
  },
  'ispconfig-like': {
    contradictory: ['smtpd_use_tls overruled'],
    left: ['smtp_tls_security_level', 'virtual_mailbox_domains'],
    settings: { base: { maxMessageSizeMb: null } },
  },
  'iredmail-like': {
    settings: {
      base: { maxMessageSizeMb: 15, mailServerName: 'mx.dreieck.example' },
      relay: { networks: ['127.0.0.1', '::1'] },
    },
  },
  'dovecot-lmtp': { left: ['mailbox_transport'], settings: { base: { mailboxFormat: 'maildir' } } },
  'zarafa-lmtp': {
    left: ['luser_relay'],
    settings: {
      base: { delivery: 'lmtp', lmtpHost: '127.0.0.1', lmtpPort: 2003, maxMessageSizeMb: 50 },
    },
  },
  'procmail-maildir': { left: ['home_mailbox', 'luser_relay'] },
  'tabs-without-end': {
    settings: {
      base: { mailServerName: 'win.windows.example', maxMessageSizeMb: 10 },
      relay: { networks: ['127.0.0.0/8', '10.0.0.1'] },
      domains: { names: ['windows.example'] },
    },
  },
  'idn-domains': { settings: { domains: { names: ['xn--mller-kva.example'] } } },
};
