/**
 * Smarthost: `relayhost`, the login at it, and how strictly the connection is encrypted.
 *
 * The TLS level stands in a policy for this one next hop, not in `smtp_tls_security_level`, and SMTPS is a transport of
 * its own: neither may touch other deliveries of smtp(8), such as those to a content filter (postconf(5), TLS_README).
 */
import type {
  MasterService,
  Section,
  SectionOutput,
  SystemView,
  Unclear,
} from '../sections/section.js';
import { isHost } from '../base/schema.js';
import { expand } from '../sections/expand.js';
import { bindingOf, keepsPassword, openPassword } from './binding.js';
import {
  nextHop,
  NO_SMARTHOST,
  passwordFault,
  smarthostSchema,
  usernameFault,
  verifies,
  type SmarthostSettings,
  type SmarthostTls,
} from './schema.js';

const PASSWORD_TABLE = 'smarthost-password';
const SMTPS_SERVICE = 'mailserver-smtps';
/** Where Debian keeps the certificates of all known authorities (package ca-certificates). */
const KNOWN_AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';
const PORT_NAMES: Readonly<Record<string, number>> = {
  smtp: 25,
  submission: 587,
  submissions: 465,
  smtps: 465,
};

interface Login {
  readonly username: string;
  readonly password: string;
}

export const smarthostSection: Section<SmarthostSettings> = {
  id: 'smarthost',
  schema: smarthostSchema,
  owns: {
    parameters: [
      'relayhost',
      'default_transport',
      'smtp_tls_wrappermode',
      'smtp_tls_CAfile',
      'smtp_sasl_auth_enable',
      'smtp_sasl_password_maps',
      'smtp_sasl_security_options',
      'smtp_sasl_tls_security_options',
    ],
    lists: ['smtp_tls_policy_maps'],
    master: [`${SMTPS_SERVICE}/unix`],
    tables: [PASSWORD_TABLE],
    files: [],
  },

  render(settings, system) {
    const login = loginOf(settings, system);
    const found = login && handMadeLogin(nextHop(settings), system);
    const handMade =
      found !== null && found.username === login?.username && found.password === login.password;
    return {
      parameters: {
        relayhost: settings.host === '' ? '' : nextHop(settings),
        ...transport(settings, system),
        ...authorities(settings, system),
        ...loginParameters(settings, system, handMade),
      },
      lists: { smtp_tls_policy_maps: settings.host === '' ? [] : [policy(settings)] },
      master: {
        [`${SMTPS_SERVICE}/unix`]: wrapsItself(settings, system) ? null : smtpsService(settings),
      },
      tables: login && !handMade ? passwordTable(settings, login) : {},
    };
  },

  read(system) {
    const unclear: Unclear[] = [];
    const value = system.parameter('relayhost');
    const target = readRelayhost(expand(value, system));
    if (target === null) {
      if (value !== '')
        unclear.push({ parameter: 'relayhost', value, key: 'smarthost.unclear.host' });
      return { settings: NO_SMARTHOST, unclear };
    }
    const open = { ...NO_SMARTHOST, ...target, ...readTls(target, system, unclear) };
    return { settings: { ...open, ...readLogin(open, system, unclear) }, unclear };
  },

  refuses(before, after) {
    const kept = before !== null && before.password !== '' && before.password === after.password;
    return kept && !keepsPassword(before, after)
      ? { field: 'password', key: 'smarthost.problem.passwordAgain' }
      : null;
  },
};

/** Throws a `RangeError` when the password was sealed for another server or a stricter connection, or cannot be sent. */
function loginOf(settings: SmarthostSettings, system: SystemView): Login | null {
  if (settings.username === '' || !system.open) return null;
  const password = openPassword(settings, system.open);
  const fault = usernameFault(settings.username) ?? passwordFault(password);
  if (fault !== null) throw new RangeError(`the login cannot be used: ${fault}`);
  return { username: settings.username, password };
}

/** What a password table that is not ours says for this next hop, in the order in which smtp(8) asks it. */
function handMadeLogin(hop: string, system: SystemView): Login | null {
  const maps = system.parameter('smtp_sasl_password_maps');
  if (maps === '' || maps === ownPasswordMap(system)) return null;
  const bare = hop.replace(/^\[?([^\]]*?)\]?:\d+$/, '$1');
  const line =
    system.lookup?.('smtp_sasl_password_maps', bare) ??
    system.lookup?.('smtp_sasl_password_maps', hop);
  const match = /^([^:]*):(.*)$/s.exec(line ?? '');
  return match?.[1] && match[2] ? { username: match[1], password: match[2] } : null;
}

function ownPasswordMap({ paths }: SystemView): string {
  return `lmdb:${paths.configDir}/mailserver.d/${PASSWORD_TABLE}`;
}

function passwordTable(
  settings: SmarthostSettings,
  { username, password }: Login,
): NonNullable<SectionOutput['tables']> {
  const entries = [[nextHop(settings), `${username}:${password}`]] as const;
  return { [PASSWORD_TABLE]: { entries, secret: true } };
}

function loginParameters(
  settings: SmarthostSettings,
  system: SystemView,
  handMade: boolean,
): Record<string, string | null> {
  if (settings.username === '') {
    return {
      smtp_sasl_auth_enable: null,
      smtp_sasl_password_maps: null,
      smtp_sasl_security_options: null,
      smtp_sasl_tls_security_options: null,
    };
  }
  const maps = handMade ? system.parameter('smtp_sasl_password_maps') : ownPasswordMap(system);
  return {
    smtp_sasl_auth_enable: 'yes',
    smtp_sasl_password_maps: maps,
    // Without encryption a password goes out readable only when somebody chose to have no encryption.
    smtp_sasl_security_options:
      settings.tls === 'none' ? 'noanonymous' : 'noplaintext, noanonymous',
    smtp_sasl_tls_security_options: 'noanonymous',
  };
}

function policy(settings: SmarthostSettings): { slot: string; value: string } {
  return {
    slot: 'smarthost',
    value: `inline:{ { ${nextHop(settings)} = ${policyLevel(settings)} } }`,
  };
}

/** `secure` compares the certificate with the name that was typed, whatever the DNS says (postconf(5)). */
function policyLevel(settings: SmarthostSettings): string {
  if (settings.tls === 'none' || settings.tls === 'may') return settings.tls;
  return verifies(settings) ? 'secure' : 'encrypt';
}

/** Whether smtp(8) as a whole was set to SMTPS by hand. */
function wrapsItself({ tls }: SmarthostSettings, system: SystemView): boolean {
  return tls === 'smtps' && system.parameter('smtp_tls_wrappermode') === 'yes';
}

function transport(settings: SmarthostSettings, system: SystemView): Record<string, string | null> {
  if (wrapsItself(settings, system))
    return { smtp_tls_wrappermode: 'yes', default_transport: null };
  const own = settings.host !== '' && settings.tls === 'smtps' ? SMTPS_SERVICE : null;
  return { smtp_tls_wrappermode: null, default_transport: own };
}

function smtpsService({ host, tls }: SmarthostSettings): MasterService | null {
  if (host === '' || tls !== 'smtps') return null;
  return {
    type: 'unix',
    private: '-',
    unprivileged: '-',
    chroot: 'n',
    wakeup: '-',
    maxproc: '-',
    command: 'smtp',
    options: [
      ['smtp_tls_wrappermode', 'yes'],
      ['smtp_tls_security_level', 'encrypt'],
    ],
  };
}

function authorities(settings: SmarthostSettings, system: SystemView): Record<string, string> {
  const known = system.isSet('smtp_tls_CAfile') || system.isSet('smtp_tls_CApath');
  return known || settings.host === '' || !verifies(settings)
    ? {}
    : { smtp_tls_CAfile: KNOWN_AUTHORITIES };
}

type Target = Pick<SmarthostSettings, 'host' | 'port' | 'mx'>;

/** `[host]:port`, `host`, `[address]:service`; null for several hosts, or what is no host. */
function readRelayhost(value: string): Target | null {
  const match = /^(?:\[([^\]]+)\]|([^:\s,]+))(?::([a-z]+|\d+))?$/i.exec(value);
  const host = (match?.[1] ?? match?.[2] ?? '').toLowerCase().replace(/^ipv6:/, '');
  const port = match?.[3] === undefined ? 25 : (PORT_NAMES[match[3]] ?? Number(match[3]));
  if (!isHost(host) || !Number.isInteger(port) || port < 1 || port > 65_535) return null;
  return { host, port, mx: match?.[1] === undefined };
}

function readTls(
  target: Target,
  system: SystemView,
  unclear: Unclear[],
): Pick<SmarthostSettings, 'tls' | 'verify'> {
  const level = policyFor(nextHop(target), system) ?? legacyLevel(system);
  const own = system.parameter('default_transport').split(':')[0] === SMTPS_SERVICE;
  const wrapped = own || system.parameter('smtp_tls_wrappermode') === 'yes';
  const verify = level === 'verify' || level === 'secure';
  const known: Readonly<Record<string, SmarthostTls>> = {
    none: 'none',
    may: 'may',
    encrypt: 'starttls',
    verify: 'starttls',
    secure: 'starttls',
  };
  const tls = known[level];
  if (tls === undefined) {
    const parameter = 'smtp_tls_security_level';
    unclear.push({ parameter, value: level, key: 'smarthost.unclear.tls' });
  }
  return { tls: wrapped ? 'smtps' : (tls ?? 'starttls'), verify };
}

/** Our own policy, or what another table says for this next hop: the level is the first word (TLS_README). */
function policyFor(hop: string, system: SystemView): string | null {
  const own = system.parameter('smtp_tls_policy_maps').split(`{ ${hop} = `)[1];
  const said = own ?? system.lookup?.('smtp_tls_policy_maps', hop) ?? '';
  return /^[a-z-]+/.exec(said)?.[0] ?? null;
}

function legacyLevel(system: SystemView): string {
  const level = system.parameter('smtp_tls_security_level');
  if (level !== '') return level;
  if (system.parameter('smtp_enforce_tls') === 'yes') return 'encrypt';
  return system.parameter('smtp_use_tls') === 'yes' ? 'may' : 'none';
}

/**
 * The login as it is now. Only the helper can look it up: a password in a table somebody made by hand is sealed on the
 * spot, so that it can be taken over without being seen.
 */
function readLogin(
  target: SmarthostSettings,
  system: SystemView,
  unclear: Unclear[],
): Pick<SmarthostSettings, 'username' | 'password'> {
  const none = { username: '', password: '' };
  const value = system.parameter('smtp_sasl_password_maps');
  if (system.parameter('smtp_sasl_auth_enable') !== 'yes' || value === '') return none;
  const login = ownLogin(target, system) ?? handMadeLogin(nextHop(target), system);
  const usable =
    login && usernameFault(login.username) === null && passwordFault(login.password) === null;
  if (!usable || !system.seal) {
    unclear.push({ parameter: 'smtp_sasl_password_maps', value, key: 'smarthost.unclear.login' });
    return none;
  }
  const { username } = login;
  return { username, password: system.seal(login.password, bindingOf({ ...target, username })) };
}

function ownLogin(target: SmarthostSettings, system: SystemView): Login | null {
  if (system.parameter('smtp_sasl_password_maps') !== ownPasswordMap(system)) return null;
  const line = system.lookup?.('smtp_sasl_password_maps', nextHop(target)) ?? '';
  const colon = line.indexOf(':');
  return colon < 1 ? null : { username: line.slice(0, colon), password: line.slice(colon + 1) };
}
