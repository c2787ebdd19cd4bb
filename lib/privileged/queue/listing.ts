/** Streams the queue as `postqueue -j` lists it, and stops it early when enough has come. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import {
  MAX_LISTED_REASON_LENGTH,
  MAX_LISTED_RECIPIENTS,
  QUEUES,
  type QueueName,
  type QueueRecipient,
  type QueueRow,
} from '../../queue/schema.js';
import { CLEAN_ENVIRONMENT } from '../native.js';
import type { Paths } from '../paths.js';
import { fileTimesReader, type FileTimes } from './directory.js';

export const POSTQUEUE = '/usr/sbin/postqueue';

/**
 * `postqueue -j` writes each message by itself. Reading 50,000 such bits costs Node more than all it does with them, so a
 * long listing comes in large blocks; a short one must not wait for its block to be full.
 */
const DD = '/usr/bin/dd';
const IN_BLOCKS = ['ibs=64K', 'obs=256K', 'status=none'];

/** Longest line of one message, in bytes: about 150,000 recipients. A longer one is left out and counted. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;
/** What is kept of the words of a tool that failed, in characters. */
const MAX_COMPLAINT_LENGTH = 2_000;

export interface ListingEnd {
  /** Lines that could not be understood. */
  readonly unreadable: number;
  /** True when the listing was ended before its end. */
  readonly cut: boolean;
  /** Exit status; null when it was cut or killed. */
  readonly code: number | null;
  readonly complaint: string;
}

export interface ListingOptions {
  /** Rows after which it is enough; null: all. */
  readonly limit: number | null;
  /** Rows after which it is enough, asked when rows have come; by default `limit`. */
  readonly enough?: () => number | null;
  readonly signal: AbortSignal;
  /** Gets the rows as they come, and is waited for. */
  readonly onRows: (rows: readonly QueueRow[]) => Promise<void>;
}

/** Rejects only when `postqueue` cannot be started. */
export async function streamListing(paths: Paths, options: ListingOptions): Promise<ListingEnd> {
  const { limit, enough = () => limit } = options;
  const { child, output } = startListing(paths, limit === null);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
  ended.catch(() => undefined);
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(0, MAX_COMPLAINT_LENGTH);
  });
  const cancel = (): void => void child.kill('SIGTERM');
  options.signal.addEventListener('abort', cancel, { once: true });
  if (options.signal.aborted) cancel();
  const times = fileTimesReader(paths.queueDir);
  let listed = 0;
  let unreadable = 0;
  let cut = false;
  try {
    for await (const lines of linesOf(output)) {
      const rows: QueueRow[] = [];
      const rest = (enough() ?? Number.POSITIVE_INFINITY) - listed;
      for (const line of lines) {
        if (rows.length >= rest) break;
        const row = parseRow(line, times);
        if (row === null) unreadable += 1;
        else rows.push(row);
      }
      listed += rows.length;
      if (rows.length > 0) await options.onRows(rows);
      if (rows.length >= rest || options.signal.aborted) {
        cut = true;
        break;
      }
    }
  } finally {
    options.signal.removeEventListener('abort', cancel);
    if (cut) child.kill('SIGTERM');
  }
  return { unreadable, cut, code: await ended, complaint };
}

function startListing(
  paths: Paths,
  inBlocks: boolean,
): { readonly child: ChildProcess; readonly output: Readable } {
  const common = { env: CLEAN_ENVIRONMENT, cwd: '/' };
  const args = ['-c', paths.configDir, '-j'];
  if (!inBlocks) {
    const child = spawn(POSTQUEUE, args, { ...common, stdio: ['ignore', 'pipe', 'pipe'] });
    return { child, output: child.stdout };
  }
  const blocks = spawn(DD, IN_BLOCKS, { ...common, stdio: ['pipe', 'pipe', 'ignore'] });
  // Without it nothing would come out, which must not look like an empty queue.
  blocks.once('error', (error) => blocks.stdout.destroy(error));
  const child = spawn(POSTQUEUE, args, { ...common, stdio: ['ignore', blocks.stdin, 'pipe'] });
  blocks.stdin.destroy();
  return { child, output: blocks.stdout };
}

/** Whole lines, as many as each chunk completes. */
async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string[], void> {
  let held: Buffer[] = [];
  let bytes = 0;
  let skipping = false;
  for await (const chunk of stream) {
    const end = chunk.lastIndexOf(10);
    if (end < 0) {
      bytes += chunk.length;
      if (bytes > MAX_LINE_BYTES) skipping = true;
      if (skipping) held = [];
      else held.push(chunk);
      continue;
    }
    const text = Buffer.concat([...held, chunk.subarray(0, end)]).toString('utf8');
    const lines = text.split('\n');
    if (skipping) lines[0] = '';
    held = [chunk.subarray(end + 1)];
    bytes = chunk.length - end - 1;
    skipping = false;
    yield lines;
  }
}

interface ListedMessage {
  readonly queue_name: string;
  readonly queue_id: string;
  readonly arrival_time: number;
  readonly message_size: number;
  readonly forced_expire?: boolean;
  readonly sender: string;
  readonly recipients: readonly { readonly address: string; readonly delay_reason?: string }[];
}

const NAMES: ReadonlySet<string> = new Set(QUEUES);

/** One line of `postqueue -j` (postqueue(1), JSON OBJECT FORMAT); null when it is none. */
export function parseRow(
  line: string,
  times: (queue: QueueName, id: string) => FileTimes,
): QueueRow | null {
  let said: ListedMessage;
  try {
    said = JSON.parse(line) as ListedMessage;
  } catch {
    return null;
  }
  if (!NAMES.has(said.queue_name) || typeof said.queue_id !== 'string') return null;
  const queue = said.queue_name as QueueName;
  const recipients = said.recipients
    .slice(0, MAX_LISTED_RECIPIENTS)
    .map(({ address, delay_reason = '' }): QueueRecipient => [
      address,
      delay_reason.length > MAX_LISTED_REASON_LENGTH
        ? `${delay_reason.slice(0, MAX_LISTED_REASON_LENGTH)}…`
        : delay_reason,
    ]);
  const { nextTry, created } = times(queue, said.queue_id);
  return {
    id: said.queue_id,
    queue,
    arrival: said.arrival_time,
    created: Math.max(said.arrival_time, created),
    size: said.message_size,
    sender: said.sender === 'MAILER-DAEMON' ? '' : said.sender,
    expired: said.forced_expire === true,
    nextTry,
    recipients,
    moreRecipients: said.recipients.length - recipients.length,
  };
}
