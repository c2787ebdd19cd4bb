/**
 * One poll of one query: one fetchmail, under the query's own lock, which it holds itself for as long as it runs.
 * Runs as the account that fetches; whoever starts it, the scheduler or somebody who wants mail now.
 */
import { spawn } from 'node:child_process';
import {
  copyFile,
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { LIMIT_REACHED, resultOf } from './classify.js';
import { openIntake, type Intake } from './intake.js';
import { openJournal } from './journal.js';
import { takeLock, type Lock } from './lock.js';
import { MAX_LOOKED_BYTES, openLook, type Looked, type LookWish } from './look.js';
import type { FetchPlaces, QueryPlaces } from './places.js';
import { queryAddress } from '../fetchmail/run-control.js';
import { readPeople, readWord } from './run-control-words.js';
import { carrySeenOver, inheritSeen } from './seen.js';
import {
  parseStatus,
  saysNothing,
  statusAfter,
  type PollResult,
  type QueryStatus,
} from './status.js';
import { createTranscript } from './transcript.js';

export const FETCHMAIL = '/usr/bin/fetchmail';
/** fetchmail logged out, so that the provider has heard of what was taken; a limit may have cut it short. */
const ENDED_WELL: ReadonlySet<number> = new Set([0, 1, LIMIT_REACHED]);
/** How long one poll may take at all, in milliseconds: the first look into a large mailbox takes hours. */
const POLL_LIMIT_MS = 6 * 3_600_000;
/** How long fetchmail has to say goodbye after SIGTERM, in milliseconds. */
const STOP_LIMIT_MS = 5_000;

export interface PollOptions {
  readonly signal?: AbortSignal;
  /** Each line of the dialogue as it may be shown. */
  readonly onLine?: (line: string) => void;
}

export interface PollOutcome {
  readonly result: PollResult;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly dialogue: readonly string[];
  /** Message-IDs of those that may be here twice, since nobody can know whether they were taken before. */
  readonly maybeTwice: readonly string[];
}

/** Fetches, and remembers how it went. `missing` when there is no such query (any more). */
export async function fetchOnce(
  places: FetchPlaces,
  id: string,
  deliveryPort: number,
  options: PollOptions = {},
): Promise<PollOutcome> {
  const own = places.of(id);
  const file = places.runControl(id);
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return withoutPoll('missing');
  await mkdir(own.folder, { recursive: true, mode: 0o700 });
  const lock = await takeLock(own.lock);
  if (lock === null) return withoutPoll('alreadyFetching');
  try {
    await removeRemains(own);
    const mailbox = [readWord(text, 'user'), readWord(text, 'via')] as const;
    await inheritSeen(places, id, ...mailbox);
    await carrySeenOver(own.ids, ...mailbox);
    const journal = await openJournal(own.taken);
    const socket = `${own.folder}/in`;
    const files = { socket, spool: `${own.folder}/spool` };
    const people = { address: queryAddress(id), behind: readPeople(text) };
    const intake = await openIntake(files, journal, deliveryPort, people);
    const args = ['-f', file, '-i', own.ids, '--smtphost', socket];
    let outcome: PollOutcome;
    try {
      outcome = await runFetchmail(own, lock, text, args, null, { ...options, intake });
    } finally {
      await intake.close();
    }
    const { code } = outcome.result;
    if (code !== null && ENDED_WELL.has(code)) {
      // What fetchmail remembers instead of us must outlast a power cut.
      await syncFile(own.ids);
      await journal.settle(code !== LIMIT_REACHED && intake.refusals().length === 0);
    }
    await journal.close();
    if (!saysNothing(outcome.result.outcome)) {
      await writeStatus(own, statusAfter(await readStatus(own), outcome));
    }
    return outcome;
  } finally {
    await lock.release();
  }
}

/** What processes left that were killed: half a message, half a status. To be done under the lock. */
async function removeRemains(own: QueryPlaces): Promise<void> {
  for (const name of await readdir(own.folder)) {
    if (/^(?:in|spool)\b|\.(?:new|\d+)$/.test(name)) {
      await rm(`${own.folder}/${name}`, { force: true });
    }
  }
}

/** Nothing there is nothing to lose. */
async function syncFile(file: string): Promise<void> {
  const handle = await open(file).catch(() => null);
  await handle?.sync();
  await handle?.close();
}

/**
 * Logs in and counts, fetching nothing, by a run control file that need not be saved. What was seen is looked up in a
 * copy, so that a test can never change it.
 */
export function testOnce(
  places: FetchPlaces,
  id: string | null,
  text: string,
  options: PollOptions = {},
): Promise<PollOutcome> {
  return onTrial(places, id, (own, lock) =>
    runFetchmail(own, lock, text, ['-f', '-', '-i', own.ids, '--check'], text, options),
  );
}

/** The same, and looks at what waits: what would become of it if it were fetched. */
export async function lookOnce(
  places: FetchPlaces,
  id: string | null,
  text: string,
  wish: LookWish,
  options: PollOptions = {},
): Promise<PollOutcome & { readonly looked?: Looked }> {
  return onTrial(places, id, async (own, lock) => {
    const enough = new AbortController();
    const files = { socket: `${own.folder}/in`, spool: `${own.folder}/spool` };
    const look = await openLook({ ...files, ...wish }, () => enough.abort());
    const stop = (): void => enough.abort();
    options.signal?.addEventListener('abort', stop, { once: true });
    try {
      const args = [
        ...['-f', '-', '-i', own.ids, '--smtphost', files.socket],
        ...['--keep', '--fetchall', '--limit', String(MAX_LOOKED_BYTES)],
      ];
      const outcome = await runFetchmail(own, lock, text, args, text, {
        ...options,
        signal: enough.signal,
      });
      const looked = look.looked();
      const complete = enough.signal.aborted && options.signal?.aborted !== true;
      const result = complete ? { ...outcome.result, outcome: 'nothing' as const } : outcome.result;
      return { ...outcome, result, looked };
    } finally {
      options.signal?.removeEventListener('abort', stop);
      await look.close();
    }
  });
}

/** In a folder of its own, under the lock of the query, with a copy of what was seen. */
async function onTrial(
  places: FetchPlaces,
  id: string | null,
  work: (own: QueryPlaces, lock: Lock) => Promise<PollOutcome>,
): Promise<PollOutcome> {
  await mkdir(places.state, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(`${places.state}/test-`);
  try {
    const ids = `${folder}/ids`;
    const known = id === null ? null : places.of(id);
    if (known) {
      await mkdir(known.folder, { recursive: true, mode: 0o700 });
      await copyFile(known.ids, ids).catch(() => undefined);
    }
    const lock = await takeLock(known?.lock ?? `${folder}/lock`);
    if (lock === null) return withoutPoll('alreadyFetching');
    try {
      return await work({ ...places.of('0'), folder, ids, pid: `${folder}/pid` }, lock);
    } finally {
      await lock.release();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runFetchmail(
  own: QueryPlaces,
  lock: Lock,
  runControl: string,
  args: readonly string[],
  input: string | null,
  { signal, onLine = () => undefined, intake }: PollOptions & { readonly intake?: Intake },
): Promise<PollOutcome> {
  const startedAt = new Date();
  const transcript = createTranscript(readWord(runControl, 'password'));
  const child = spawn(
    FETCHMAIL,
    [...args, '--pidfile', own.pid, '--nosyslog', '--nodetach', '-v'],
    {
      cwd: own.folder,
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', HOME: own.folder },
      // It shares the lock, so that one that outlives us is waited for.
      stdio: [input === null ? 'ignore' : 'pipe', 'pipe', 'pipe', lock.fd],
      detached: true,
    },
  );
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input ?? '');
  const take = (line: string): void => onLine(transcript.take(line));
  const read = [linesOf(child.stdout as Readable, take), linesOf(child.stderr as Readable, take)];
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    endGroup(child.pid);
  };
  const limit = setTimeout(() => endGroup(child.pid), POLL_LIMIT_MS);
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
    await Promise.all(read);
    const lines = transcript.lines();
    const server = readWord(runControl, 'via');
    // What Postfix is just taking is ours, though fetchmail may be gone.
    await intake?.idle();
    const { taken, again } = intake?.counts() ?? { taken: 0, again: 0 };
    const refusals = intake?.refusals() ?? [];
    const maybeTwice = intake?.maybeTwice() ?? [];
    const counts = { ...transcript.counts(), fetched: taken };
    const left = Math.max(0, (counts.waiting ?? 0) - (counts.seen ?? 0) - taken - again);
    const end = { code, lines, counts: { ...counts, left }, server, stopped, refusals };
    const result = resultOf(end);
    return { result, startedAt, finishedAt: new Date(), dialogue: lines, maybeTwice };
  } finally {
    clearTimeout(limit);
    signal?.removeEventListener('abort', stop);
  }
}

function linesOf(stream: Readable, take: (line: string) => void): Promise<void> {
  return new Promise((resolve) => {
    stream.setEncoding('utf8');
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', take).once('close', resolve);
  });
}

/** fetchmail, and what it may have started. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  const send = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-pid, signal);
    } catch {
      // It ended by itself.
    }
  };
  send('SIGTERM');
  setTimeout(() => send('SIGKILL'), STOP_LIMIT_MS).unref();
}

/** What another fetchmail had seen of this mailbox (fetchmail(1), --idfile); what is known here already stays. */
export async function seedSeen(
  places: FetchPlaces,
  id: string,
  lines: string,
): Promise<PollOutcome> {
  const own = places.of(id);
  await mkdir(own.folder, { recursive: true, mode: 0o700 });
  const lock = await takeLock(own.lock);
  if (lock === null) return withoutPoll('alreadyFetching');
  try {
    const beside = `${own.ids}.new`;
    await writeFile(beside, lines, { mode: 0o600 });
    await syncFile(beside);
    await link(beside, own.ids).catch(() => undefined);
    await rm(beside);
    return withoutPoll('nothing');
  } finally {
    await lock.release();
  }
}

function withoutPoll(outcome: 'missing' | 'alreadyFetching' | 'nothing'): PollOutcome {
  const now = new Date();
  const counts = { waiting: null, seen: null, fetched: 0, left: 0 };
  const result: PollResult = { outcome, code: null, ...counts, detail: '' };
  return { result, startedAt: now, finishedAt: now, dialogue: [], maybeTwice: [] };
}

export async function readStatus(own: QueryPlaces): Promise<QueryStatus | null> {
  const text = await readFile(own.status, 'utf8').catch(() => null);
  return text === null ? null : parseStatus(text);
}

/** Complete or not at all. */
export async function writeStatus(own: QueryPlaces, status: QueryStatus): Promise<void> {
  const beside = `${own.status}.${process.pid}`;
  await writeFile(beside, JSON.stringify(status), { mode: 0o600 });
  await rename(beside, own.status);
}
