/** What a section may ask of the machine around Postfix. Nothing of it is read before it is asked for. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { LoginService, SystemView } from '../../sections/section.js';
import { findCertificates } from '../certificates.js';
import { CLEAN_ENVIRONMENT } from '../native.js';
import type { Paths } from '../paths.js';
import { splitList } from './list-value.js';

/** How long one lookup may take, in milliseconds: a table may be a server. */
const LOOKUP_TIMEOUT_MS = 3_000;
/** Largest answer of a lookup, in bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** In /proc/net/unix: somebody takes connections there (`__SO_ACCEPTCON`). */
const LISTENS = '00010000';

type Surroundings = Required<Pick<SystemView, 'lookup' | 'certificates' | 'installed' | 'login'>>;

export function surroundingsOf(folder: string, paths: Paths): Surroundings {
  let certificates: SystemView['certificates'];
  let login: LoginService | null | undefined;
  return {
    installed: (program) => existsSync(program),
    lookup: (parameter, key) => lookUp(folder, parameter, key),
    get certificates() {
      return (certificates ??= findCertificates(paths));
    },
    get login() {
      return (login ??= findLogin(paths));
    },
  };
}

function lookUp(folder: string, parameter: string, key: string): string | null {
  if (/[\r\n\0]/.test(key) || key.startsWith('-')) return null;
  const maps = splitList(ask('/usr/sbin/postconf', ['-c', folder, '-xh', parameter]) ?? '');
  for (const map of maps) {
    const value = ask('/usr/sbin/postmap', ['-c', folder, '-q', key, map]);
    if (value !== null) return value;
  }
  return null;
}

function ask(program: string, args: readonly string[]): string | null {
  const answer = spawnSync(program, args, {
    env: CLEAN_ENVIRONMENT,
    cwd: '/',
    encoding: 'utf8',
    maxBuffer: MAX_ANSWER_BYTES,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: LOOKUP_TIMEOUT_MS,
  });
  return answer.status === 0 ? answer.stdout.replace(/\n$/, '') : null;
}

/** Dovecot where it has a socket for Postfix, else saslauthd. */
function findLogin(paths: Paths): LoginService | null {
  const listening = listeningSockets();
  const path = 'private/auth';
  if (listening.has(`${paths.queueDir}/${path}`)) return { kind: 'dovecot', path };
  const mux = [`${paths.root}/run/saslauthd/mux`, `${paths.root}/var/run/saslauthd/mux`].find(
    (socket) => listening.has(socket),
  );
  return mux === undefined
    ? null
    : { kind: 'saslauthd', path: mux, configFolder: `${paths.configDir}/sasl` };
}

function listeningSockets(): ReadonlySet<string> {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return new Set(
    lines.flatMap((line) => {
      const columns = line.trim().split(/\s+/);
      return columns[3] === LISTENS && columns[7] ? [columns[7]] : [];
    }),
  );
}
