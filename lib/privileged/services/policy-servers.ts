/** The policy servers smtpd(8) asks by TCP on loopback: postgrey, and the service of ours that asks DNS block lists. */
import { existsSync, readFileSync } from 'node:fs';
import { chown, mkdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { LISTS_REQUEST } from '../../block-lists/server.js';
import {
  BLOCK_LISTS_FILE,
  POSTGREY_CLIENTS,
  POSTGREY_FILE,
  POSTGREY_PROGRAM,
  PROBE_ADDRESS,
} from '../../policy/places.js';
import type { InnerPort } from '../../sections/section.js';
import type { Paths } from '../paths.js';
import { portsOf } from '../ports.js';
import type { DaemonDefinition } from './daemons.js';

/** How long one answer may take, in milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000;
/** The longest answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;
const POSTGREY_STATE = '/var/lib/postgrey';
/** Beside the program of the helper that runs, which may be a bundle. */
const BLOCK_LISTS_PROGRAM = path.resolve(
  path.dirname(process.argv[1] ?? ''),
  '../block-lists/main.js',
);
const SETPRIV = '/usr/bin/setpriv';

/** A policy server and what it is told by. It is wanted as long as `file` is there. */
export interface PolicyServer {
  readonly definition: DaemonDefinition;
  readonly port: InnerPort;
  readonly file: string;
  /** Files besides that it reads at its start. */
  readonly others: readonly string[];
}

export const POSTGREY: PolicyServer = {
  port: 'policy',
  file: POSTGREY_FILE,
  others: [POSTGREY_CLIENTS],
  definition: {
    name: 'postgrey',
    program: POSTGREY_PROGRAM,
    // It would read its lists anew, but not its options.
    rereads: false,
    startLimitMs: 30_000,
    direct: ({ root }) => {
      const folder = `${root}${POSTGREY_STATE}`;
      const settings = environmentOf(readFileSync(`${root}${POSTGREY_FILE}`, 'utf8'));
      return {
        program: POSTGREY_PROGRAM,
        args: [
          ...(settings['POSTGREY_OPTS'] ?? '').split(' '),
          `--greylist-text=${settings['POSTGREY_TEXT']}`,
          `--dbdir=${folder}`,
        ],
        prepare: async () => {
          await mkdir(folder, { recursive: true, mode: 0o700 });
          const [uid, gid] = await idsOf('postgrey');
          await chown(folder, uid, gid);
        },
      };
    },
    answers: (paths) => answersAt(paths, 'policy'),
  },
};

export const BLOCK_LISTS: PolicyServer = {
  port: 'blockLists',
  file: BLOCK_LISTS_FILE,
  others: [],
  definition: {
    name: 'mailserver-block-lists',
    program: BLOCK_LISTS_PROGRAM,
    rereads: false,
    startLimitMs: 30_000,
    direct: ({ root }) => ({
      program: SETPRIV,
      args: [
        ...['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', '--no-new-privs', '--'],
        ...[process.execPath, BLOCK_LISTS_PROGRAM, `${root}${BLOCK_LISTS_FILE}`],
      ],
    }),
    answers: (paths) => answersAt(paths, 'blockLists'),
  },
};

export const POLICY_SERVERS: readonly PolicyServer[] = [POSTGREY, BLOCK_LISTS];

/** Those that the settings ask for. */
export function wantedServers({ root }: Paths): readonly PolicyServer[] {
  return POLICY_SERVERS.filter(({ file }) => existsSync(root + file));
}

/** Whether a policy server says what is to be done with the stranger of all proofs. Never throws. */
export async function answersAt(paths: Paths, port: InnerPort): Promise<boolean> {
  const number = (await portsOf(paths))[port];
  const answer = await askPolicy({ host: '127.0.0.1', port: number }, probeRequest()).catch(
    () => '',
  );
  return answer.startsWith('action=');
}

/** What smtpd(8) asks at RCPT TO. */
export function probeRequest(): Readonly<Record<string, string>> {
  return {
    request: 'smtpd_access_policy',
    protocol_state: 'RCPT',
    protocol_name: 'ESMTP',
    client_address: PROBE_ADDRESS,
    client_name: 'unknown',
    reverse_client_name: 'unknown',
    helo_name: 'stranger.example',
    sender: '',
    recipient: 'postmaster@localhost',
    recipient_count: '0',
    queue_id: '',
    instance: `mailserver.${process.pid}`,
    size: '0',
  };
}

/** The lists as the service sees them, as JSON text; rejects when it does not answer. */
export async function askLists(paths: Paths): Promise<string> {
  const port = (await portsOf(paths)).blockLists;
  const answer = await askPolicy({ host: '127.0.0.1', port }, { request: LISTS_REQUEST });
  return answer.replace(/^lists=/, '');
}

/** One request and its answer (SMTPD_POLICY_README). Rejects when none comes in time. */
export function askPolicy(
  target: { readonly host: string; readonly port: number } | { readonly path: string },
  request: Readonly<Record<string, string>>,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(target);
    // However busy it looks: a stream of bytes is no answer.
    const limit = setTimeout(() => socket.destroy(new Error('no answer in time')), timeoutMs);
    socket.setEncoding('utf8');
    socket.on('connect', () => {
      const lines = Object.entries(request).map(([name, value]) => `${name}=${value}\n`);
      socket.write(`${lines.join('')}\n`);
    });
    socket.on('data', (text: string) => {
      answer += text;
      if (answer.length > MAX_ANSWER_BYTES) socket.destroy(new Error('the answer is too long'));
      else if (answer.includes('\n\n')) socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(limit);
      if (answer === '') reject(new Error('no answer'));
      else resolve(answer.trim());
    });
  });
}

/** `NAME="value"` lines, as the file of ours has them. */
function environmentOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...text.matchAll(/^([A-Z_]+)="([^"\\]*)"$/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
}

async function idsOf(user: string): Promise<[uid: number, gid: number]> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n');
  const fields = lines.find((line) => line.startsWith(`${user}:`))?.split(':') ?? [];
  return [Number(fields[2]), Number(fields[3])];
}
