/** Where Postfix listens for mail, and the private listener through which a stranger is simulated. */
import { ipFamily } from '../../ip.js';
import type { SystemView } from '../../sections/section.js';
import type { MasterEntry } from './config-view.js';
import { splitList } from './list-value.js';
import { parseMasterLine } from './master.js';

/** The probe listener: a unix-domain smtpd in a folder only Postfix and root can enter. */
export const PROBE_SERVICE = 'mailserver-probe/unix';

export interface PublicListener {
  readonly entry: MasterEntry;
  /** As master.cf names it; null where it leaves that to inet_interfaces. */
  readonly host: string | null;
  readonly port: number;
}

/** Ports of `/etc/services` names that master.cf uses. */
const PORT_NAMES: Readonly<Record<string, number>> = {
  smtp: 25,
  submission: 587,
  submissions: 465,
  smtps: 465,
};

/** Every smtpd(8), and postscreen(8), that listens on TCP; services on ports of unknown names are left out. */
export function tcpListeners(master: readonly MasterEntry[]): readonly PublicListener[] {
  return master.flatMap((entry) => {
    const service = parseMasterLine(entry.line);
    if (service.type !== 'inet' || !['smtpd', 'postscreen'].includes(service.command)) return [];
    const match = /^(?:\[?([^\]]*)\]?:)?([a-z]+|\d+)$/.exec(service.name);
    const port = PORT_NAMES[match?.[2] ?? ''] ?? Number(match?.[2]);
    if (!Number.isInteger(port)) return [];
    return [{ entry, host: match?.[1] || null, port }];
  });
}

/** Where a listener is reached from this machine: without a host of its own it is wherever Postfix listens. */
export function reachableHost({ host }: PublicListener, view: ListeningView): string {
  return host ?? addressToAsk(view);
}

export interface Reachable {
  readonly host: string;
  readonly port: number;
}

export function reachable(listener: PublicListener, view: ListeningView): Reachable {
  return { host: reachableHost(listener, view), port: listener.port };
}

export type ListeningView = Pick<SystemView, 'parameter'>;

/** The port-25 service, or in a private instance the first smtpd on TCP; null when mail is taken from nowhere. */
export function publicListener(master: readonly MasterEntry[]): PublicListener | null {
  const candidates = tcpListeners(master);
  return candidates.find(({ port }) => port === 25) ?? candidates[0] ?? null;
}

/** An address of this machine at which a listener that names none takes connections, by inet_interfaces. */
function addressToAsk({ parameter }: ListeningView): string {
  const loopback = parameter('inet_protocols') === 'ipv6' ? '::1' : '127.0.0.1';
  const named = splitList(parameter('inet_interfaces')).map((name) => {
    const plain = name.replace(/^\[(.*)\]$/, '$1');
    return plain === '$myhostname' ? parameter('myhostname') : plain;
  });
  const everywhere = ['all', 'loopback-only', loopback, 'localhost'];
  if (named.length === 0 || named.some((name) => everywhere.includes(name))) return loopback;
  // An address rather than a name, which /etc/hosts may know differently.
  return named.find((name) => ipFamily(name) !== 0) ?? named[0] ?? loopback;
}

/**
 * The line of the probe listener: chroot and options of the public one, and XCLIENT for whoever reaches the socket.
 * Null without a public listener. TLS and logins are left out, they do not decide who may relay.
 */
export function probeLine(listener: PublicListener | null): string | null {
  if (!listener) return null;
  const service = parseMasterLine(listener.entry.line);
  const own = service.command === 'smtpd' ? service.arguments : '';
  return [
    'mailserver-probe unix y -',
    service.chroot,
    '- - smtpd',
    own,
    '-o smtpd_authorized_xclient_hosts=static:all',
    '-o smtpd_client_connection_count_limit=0',
    '-o smtpd_client_connection_rate_limit=0',
    '-o smtpd_client_message_rate_limit=0',
    '-o smtpd_client_recipient_rate_limit=0',
    '-o smtpd_soft_error_limit=1000',
    '-o smtpd_hard_error_limit=1000',
    // A process that served somebody before would answer from the configuration of then.
    '-o max_use=1',
    '-o smtpd_tls_wrappermode=no',
    '-o smtpd_tls_security_level=none',
    '-o syslog_name=postfix/mailserver-probe',
  ]
    .filter((part) => part !== '')
    .join(' ');
}
