/** What somebody says to the helper's socket who has taken over the web process: whatever they like. */
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import net from 'node:net';
import type { HelperSocket } from '../support/helper-sockets.js';
import { PROTOCOL_VERSION } from '../../lib/privileged/protocol.js';

/** What the helper may write whatever it is asked; Postfix' own queue, state and log. */
export const ALWAYS = [
  'var/log',
  'var/spool/postfix',
  'var/lib/postfix',
  'var/lib/mailserver-helper/audit-requests.log',
  'var/lib/mailserver-helper/lock',
];

export interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly stage: string; readonly key: string; readonly restored: boolean };
}

/** A request in one line. */
export function requestOf(action: string, params: unknown, more: object = {}): string {
  return `${JSON.stringify({ protocol: PROTOCOL_VERSION, action, actor: 'attacker', params, ...more })}\n`;
}

/** Says chunks as they are and reads to the end; signs of life are no answer. */
export async function sayRaw(path: string, ...chunks: (string | Buffer)[]): Promise<Answer[]> {
  const socket = net.connect(path);
  socket.on('error', () => undefined);
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  await once(socket, 'connect');
  for (const chunk of chunks) socket.write(chunk);
  await once(socket, 'close');
  return text
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Answer]))
    .filter((answer) => !('alive' in answer));
}

/** How many helpers the listener has running. */
export async function helpersOf({ listener }: HelperSocket): Promise<number> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(
    ids.map((id) => readFile(`/proc/${id}/stat`, 'utf8').catch(() => '')),
  );
  return parents.filter((stat) => Number(/\) \S (\d+)/.exec(stat)?.[1]) === listener.pid).length;
}
