/** One message of the queue: its envelope, why each recipient waits, its content. Read, never changed. */
import { spawn } from 'node:child_process';
import { lstat, readFile } from 'node:fs/promises';
import {
  MAX_SHOWN_RECIPIENTS,
  type LaterPart,
  type QueueEnvelope,
  type ShownRecipient,
} from '../../queue/schema.js';
import { CLEAN_ENVIRONMENT, runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { fileOf } from './directory.js';
import { PartFinder } from './part-finder.js';

export const POSTCAT = '/usr/sbin/postcat';

/** Largest log of deferrals that is read, in bytes. */
const MAX_DEFER_LOG_BYTES = 8 * 1024 * 1024;
/** What is kept of one value, in characters. */
const MAX_VALUE_LENGTH = 4_000;

/** Why a recipient waits, as the bounce daemon noted it (bounce(5), bounce_log.c). */
export interface Deferral {
  readonly reason: string;
  /** Enhanced status code such as `4.2.2`. */
  readonly status: string;
  /** The server that said so; '' when none was reached. */
  readonly server: string;
}

/** What `postcat -e` tells. `null` when the message has gone meanwhile. */
export async function readEnvelope(paths: Paths, id: string): Promise<QueueEnvelope | null> {
  const { code, stdout } = await runNative(POSTCAT, ['-c', paths.configDir, '-qe', '--', id]);
  // Killed at the limit of what is read (null), it has told enough.
  if (code !== null && code !== 0) return null;
  return parseEnvelope(stdout, await readDeferrals(paths, id));
}

/** Reads the records of `postcat -e` (postcat(1)); a recipient's attributes stand before it. */
export function parseEnvelope(
  text: string,
  deferrals: ReadonlyMap<string, Deferral>,
): QueueEnvelope {
  const recipients: ShownRecipient[] = [];
  const attributes = new Map<string, string>();
  let more = 0;
  let sender = '';
  let original = '';
  let arrival = 0;
  let created = 0;
  for (const line of text.split('\n')) {
    const split = line.indexOf(': ');
    const name = line.slice(0, split);
    const value = line.slice(split + 2).slice(0, MAX_VALUE_LENGTH);
    if (name === 'sender') sender = value;
    else if (name === 'message_arrival_time') arrival = seconds(value);
    else if (name === 'create_time') created = seconds(value);
    else if (name === 'original_recipient') original = value;
    else if (name === 'named_attribute') {
      const equals = value.indexOf('=');
      attributes.set(value.slice(0, equals), value.slice(equals + 1));
    } else if (name === 'recipient' || name === 'done_recipient') {
      const settled = name === 'done_recipient';
      const why = settled ? undefined : deferrals.get(value);
      if (recipients.length >= MAX_SHOWN_RECIPIENTS) more += 1;
      else {
        recipients.push({
          address: value,
          original: original === value ? '' : original,
          settled,
          reason: why?.reason ?? '',
          status: why?.status ?? '',
          server: why?.server ?? '',
        });
      }
      original = '';
    }
  }
  return {
    sender,
    arrival,
    created: Math.max(arrival, created),
    recipients,
    moreRecipients: more,
    clientName: attributes.get('client_name') ?? '',
    clientAddress: attributes.get('client_address') ?? '',
    login: attributes.get('sasl_username') ?? '',
  };
}

/** A time as postcat prints it, in the machine's own time zone (asctime(3)). */
function seconds(text: string): number {
  const time = new Date(text).getTime();
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000);
}

async function readDeferrals(paths: Paths, id: string): Promise<ReadonlyMap<string, Deferral>> {
  const file = fileOf(`${paths.queueDir}/defer`, id);
  if (file === null) return new Map();
  try {
    if ((await lstat(file)).size > MAX_DEFER_LOG_BYTES) return new Map();
    return parseDeferrals(await readFile(file, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw error;
  }
}

/** By recipient; the last note counts. */
export function parseDeferrals(text: string): ReadonlyMap<string, Deferral> {
  const deferrals = new Map<string, Deferral>();
  for (const block of text.split(/\n\n+/)) {
    const values = new Map<string, string>();
    for (const line of block.split('\n')) {
      const split = line.indexOf('=');
      if (split > 0) values.set(line.slice(0, split), line.slice(split + 1));
    }
    const recipient = values.get('recipient');
    const reason = values.get('reason');
    if (recipient === undefined || reason === undefined) continue;
    deferrals.set(recipient, {
      reason: reason.slice(0, MAX_VALUE_LENGTH),
      status: values.get('status') ?? '',
      server: values.get('mta_mname') ?? '',
    });
  }
  return deferrals;
}

export interface Content {
  /** The first bytes of header and body, as they lie in the queue. */
  readonly head: Buffer;
  /** Length of all of it, in bytes. */
  readonly bytes: number;
  /** Where parts begin behind `head`, as far as they look like parts. */
  readonly later: readonly LaterPart[];
}

/** The first `limit` bytes of the content, and the beginnings of parts behind them. Throws when it cannot be read. */
export async function readContent(paths: Paths, id: string, limit: number): Promise<Content> {
  const head: Buffer[] = [];
  const parts = new PartFinder(limit);
  let bytes = 0;
  for await (const chunk of streamContent(paths, id, new AbortController().signal)) {
    if (bytes < limit) head.push(chunk.subarray(0, limit - bytes));
    parts.look(chunk);
    bytes += chunk.length;
  }
  return { head: Buffer.concat(head), bytes, later: parts.finish() };
}

/** Header and body as they lie in the queue, with LF. Throws when `postcat` fails in the middle of it. */
export async function* streamContent(
  paths: Paths,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const child = spawn(POSTCAT, ['-c', paths.configDir, '-qhb', '--', id], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: CLEAN_ENVIRONMENT,
    cwd: '/',
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
  ended.catch(() => undefined);
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const code = await ended;
    if (code !== 0 && !signal.aborted) throw new Error(`postcat ended with ${String(code)}`);
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}
