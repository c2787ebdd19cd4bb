/** Does one thing with many messages by `postsuper` or `postqueue -i`, and says what became of each. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { HelperError } from '../../errors.js';
import {
  MAX_TOLD_FAILURES,
  type ActFailure,
  type ActResult,
  type QueueAction,
  type QueueName,
} from '../../queue/schema.js';
import { CLEAN_ENVIRONMENT, runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { countQueues, findInQueues } from './directory.js';
import { POSTQUEUE } from './listing.js';

export const POSTSUPER = '/usr/sbin/postsuper';
const POSTKICK = '/usr/sbin/postkick';

/** A message that moves between queues while it is looked for is missed (postsuper(1)): so often it is tried again. */
const MAX_ROUNDS = 5;
/** `postqueue -i` takes one message; so many run at once. */
const DELIVERIES_AT_ONCE = 4;
const MAX_DETAIL_LENGTH = 300;

/** What `postsuper` says of a message it is done with (postsuper.c). */
const SAID: Readonly<
  Record<Exclude<QueueAction, 'deliver'>, readonly [option: string, word: string]>
> = {
  delete: ['-d', 'removed'],
  hold: ['-h', 'placed on hold'],
  release: ['-H', 'released from hold'],
  requeue: ['-r', 'requeued'],
};

export interface SuperviseOptions {
  readonly signal: AbortSignal;
  /** Called before a message is touched; nothing is when it throws. */
  readonly changing: () => Promise<void>;
  /** Called for each message that is settled. */
  readonly onSettled: (settled: number) => void;
}

/** Messages counted as they are settled, each once. */
class Tally {
  done = 0;
  unchanged = 0;
  gone = 0;
  failed = 0;
  readonly failures: ActFailure[] = [];

  constructor(private readonly onSettled: (settled: number) => void) {}

  add(outcome: 'done' | 'unchanged' | 'gone'): void {
    this[outcome] += 1;
    this.#settled();
  }

  fail(failure: ActFailure): void {
    this.failed += 1;
    if (this.failures.length < MAX_TOLD_FAILURES) this.failures.push(failure);
    this.#settled();
  }

  #settled(): void {
    this.onSettled(this.done + this.unchanged + this.gone + this.failed);
  }

  result(cancelled: boolean): ActResult {
    const { done, unchanged, gone, failed, failures } = this;
    return { done, unchanged, gone, failed, failures, cancelled };
  }
}

/** Acts on the messages with these ids. Rejects only when the tool cannot be started. */
export async function supervise(
  paths: Paths,
  action: QueueAction,
  ids: ReadonlySet<string>,
  options: SuperviseOptions,
): Promise<ActResult> {
  const tally = new Tally(options.onSettled);
  if (action === 'deliver') await deliver(paths, ids, tally, options);
  else await superviseRounds(paths, action, ids, tally, options);
  // What is requeued waits for the pickup daemon, which looks once a minute unless it is woken (pickup(8)).
  if (action === 'requeue' && tally.done > 0) {
    await runNative(POSTKICK, ['-c', paths.configDir, 'public', 'pickup', 'W']);
  }
  return tally.result(options.signal.aborted);
}

/** Has Postfix try everything that is deferred now. */
export async function flush(paths: Paths, changing: () => Promise<void>): Promise<ActResult> {
  const { deferred } = countQueues(paths.queueDir);
  if (deferred > 0) await changing();
  const { code, stderr } = await runNative(POSTQUEUE, ['-c', paths.configDir, '-f']);
  if (code !== 0) {
    const detail = stderr.trim().slice(0, MAX_DETAIL_LENGTH);
    throw new HelperError({
      stage: 'run',
      key: 'helper.queue.flush',
      values: {},
      detail,
      restored: true,
    });
  }
  return { done: deferred, unchanged: 0, gone: 0, failed: 0, failures: [], cancelled: false };
}

type Supervised = keyof typeof SAID;

/** Where a message already is as asked. */
function alreadySo(action: Supervised, queue: QueueName): boolean {
  return action === 'hold' ? queue === 'hold' : action === 'release' && queue !== 'hold';
}

async function superviseRounds(
  paths: Paths,
  action: Supervised,
  ids: ReadonlySet<string>,
  tally: Tally,
  { signal, changing }: SuperviseOptions,
): Promise<void> {
  const open = new Set(ids);
  let detail = '';
  for (let round = 0; round < MAX_ROUNDS && open.size > 0; round += 1) {
    const there = findInQueues(paths.queueDir, open);
    for (const id of open) {
      const queue = there.get(id);
      if (queue !== undefined && !alreadySo(action, queue)) continue;
      open.delete(id);
      tally.add(queue === undefined ? 'gone' : 'unchanged');
    }
    if (open.size === 0 || signal.aborted) return;
    await changing();
    detail = await runPostsuper(paths, action, open, tally, signal);
    if (signal.aborted) return;
  }
  const there = findInQueues(paths.queueDir, open);
  for (const id of open) {
    if (there.has(id)) tally.fail({ id, why: detail === '' ? 'stays' : 'tool', detail });
    else tally.add('gone');
  }
}

/** One run over all of `open`, from which it takes what it is done with. Resolves with the tool's complaint, if any. */
function runPostsuper(
  paths: Paths,
  action: Supervised,
  open: Set<string>,
  tally: Tally,
  signal: AbortSignal,
): Promise<string> {
  const [option, word] = SAID[action];
  const child = spawn(POSTSUPER, ['-c', paths.configDir, option, '-'], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: CLEAN_ENVIRONMENT,
    cwd: '/',
  });
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  child.stdin.on('error', () => undefined);
  child.stdin.end([...open].map((id) => `${id}\n`).join(''));
  let complaint = '';
  createInterface({ input: child.stderr }).on('line', (line) => {
    const [, id = '', said = ''] = /^postsuper: (\S+): (.+)$/.exec(line) ?? [];
    if (said === word && open.delete(id)) tally.add('done');
    else if (/^postsuper: (?:warning|error|fatal|panic): /.test(line)) {
      complaint = line.slice(0, MAX_DETAIL_LENGTH);
    }
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => {
      signal.removeEventListener('abort', stop);
      resolve(complaint);
    });
  });
}

/** Mail on hold is never delivered (postqueue(1)), so that is told instead of done. */
async function deliver(
  paths: Paths,
  ids: ReadonlySet<string>,
  tally: Tally,
  { signal, changing }: SuperviseOptions,
): Promise<void> {
  const there = findInQueues(paths.queueDir, ids);
  if ([...there.values()].includes('deferred')) await changing();
  const waiting = ids.values();
  const worker = async (): Promise<void> => {
    for (const id of waiting) {
      if (signal.aborted) return;
      const queue = there.get(id);
      if (queue === undefined) tally.add('gone');
      else if (queue === 'hold') tally.fail({ id, why: 'held', detail: '' });
      else if (queue === 'deferred') await deliverOne(paths, id, tally);
      // What is incoming or active is being delivered as it is.
      else tally.add('unchanged');
    }
  };
  await Promise.all(Array.from({ length: DELIVERIES_AT_ONCE }, worker));
}

async function deliverOne(paths: Paths, id: string, tally: Tally): Promise<void> {
  const { code, stderr } = await runNative(POSTQUEUE, ['-c', paths.configDir, '-i', id]);
  const detail = stderr.trim().slice(0, MAX_DETAIL_LENGTH);
  if (code === 0 && detail === '') tally.add('done');
  else tally.fail({ id, why: 'tool', detail });
}
