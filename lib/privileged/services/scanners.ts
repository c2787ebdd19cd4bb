/** The daemons that look into mail: amavis, which Postfix asks, and ClamAV, which amavis asks, with its signatures. */
import { readdir } from 'node:fs/promises';
import net from 'node:net';
import { AMAVIS_HOME, AMAVIS_USER, CLAMD_SOCKET, SIGNATURE_FOLDER } from '../../security/places.js';
import type { Paths } from '../paths.js';
import { portsOf } from '../ports.js';
import { join } from '../scanning/group.js';
import { SmtpDialogue } from '../smtp-dialogue.js';
import type { DaemonDefinition } from './daemons.js';

/** How long one answer may take, in milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000;
/** The longest answer of clamd to one question, in bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

export const AMAVIS: DaemonDefinition = {
  name: 'amavis',
  program: '/usr/sbin/amavisd',
  // It would, but says nothing of when it has, and holds on to the ports it had.
  rereads: false,
  holdsMail: true,
  startLimitMs: 60_000,
  direct: ({ root }) => ({
    // As Debian's unit has it.
    program: '/usr/bin/setpriv',
    args: [
      ...['--reuid', AMAVIS_USER, '--regid', AMAVIS_USER, '--init-groups', '--'],
      ...['/usr/sbin/amavisd', '-c', `${root}/etc/amavis/amavisd.conf`, 'foreground'],
    ],
  }),
  answers: async (paths) => greets((await portsOf(paths)).amavisIn),
};

export const CLAMD: DaemonDefinition = {
  name: 'clamav-daemon',
  program: '/usr/sbin/clamd',
  lacks: async (paths) => ((await signatureFiles(paths)).length === 0 ? 'noSignatures' : null),
  equip: async (paths) => {
    await join(paths);
    return !(await mayRead(paths));
  },
  rereads: false,
  // The official signatures take up to a minute, on a slow disk more.
  startLimitMs: 180_000,
  direct: ({ root }) => ({
    program: '/usr/sbin/clamd',
    args: [`--config-file=${root}/etc/clamav/clamd.conf`, '--foreground=true'],
  }),
  answers: async (paths) => (await askClamd(paths, 'PING').catch(() => '')) === 'PONG',
};

export const FRESHCLAM: DaemonDefinition = {
  name: 'clamav-freshclam',
  program: '/usr/bin/freshclam',
  rereads: false,
  startLimitMs: 10_000,
  direct: ({ root }) => ({
    program: '/usr/bin/freshclam',
    args: ['--daemon', '--foreground=true', `--config-file=${root}/etc/clamav/freshclam.conf`],
  }),
  // It listens nowhere: that it runs is all it shows, and how old the signatures are.
  answers: () => Promise.resolve(false),
};

/** Names of the files with signatures that clamd can load (clamscan(1)); a machine needs official ones, as its unit says. */
export async function signatureFiles({ root }: Pick<Paths, 'root'>): Promise<readonly string[]> {
  const names = await readdir(root + SIGNATURE_FOLDER).catch(() => []);
  return names.filter((name) => /\.(?:c[lv]d|[hmn]db|[hm]sb|ldb|ndu)$/.test(name)).sort();
}

/** Asks clamd one question of its protocol (clamd(8)), such as `PING` or `VERSION`. Rejects when it does not answer. */
export function askClamd(paths: Paths, question: string, timeoutMs = ANSWER_TIMEOUT_MS) {
  return new Promise<string>((resolve, reject) => {
    let answer = '';
    const socket = net.connect({ path: clamdSocket(paths) });
    socket.setEncoding('utf8').setTimeout(timeoutMs, () => {
      socket.destroy(new Error('clamd does not answer'));
    });
    socket.on('connect', () => socket.write(`n${question}\n`));
    socket.on('data', (text: string) => {
      answer += text;
      if (answer.length > MAX_ANSWER_BYTES) socket.destroy(new Error('clamd says too much'));
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer.trim()));
  });
}

/**
 * Whether the running clamd may look into what amavis has taken apart: it learns of its groups when it starts. It is asked
 * for a file that is not there, in a folder that others may not enter. True while it does not run.
 */
export async function mayRead(paths: Paths): Promise<boolean> {
  const file = `${paths.root}${AMAVIS_HOME}/mailserver-asks`;
  const answer = await askClamd(paths, `SCAN ${file}`).catch(() => '');
  return !answer.includes('Permission denied');
}

/** Where clamd listens. */
export function clamdSocket({ root }: Paths): string {
  return root + CLAMD_SOCKET;
}

/** Whether somebody greets as an SMTP server does. */
export async function greets(port: number): Promise<boolean> {
  try {
    const target = { host: '127.0.0.1', port };
    const { dialogue, banner } = await SmtpDialogue.open(target, ANSWER_TIMEOUT_MS);
    await dialogue.close();
    return banner.code === 220;
  } catch {
    return false;
  }
}

/** All of them. What is started first stands first: scanners before amavis, which asks them. */
export const SCANNERS: readonly DaemonDefinition[] = [FRESHCLAM, CLAMD, AMAVIS];
