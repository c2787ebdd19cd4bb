/** Starts one poll as the account that fetches: root neither logs in anywhere, nor writes where that account does. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { HelperError } from '../errors.js';
import type { Looked } from '../fetcher/look.js';
import type { PollResult } from '../fetcher/status.js';
import { FETCH_USER } from '../fetchmail/section.js';
import { CLEAN_ENVIRONMENT } from './native.js';
import type { Paths } from './paths.js';

const SETPRIV = '/usr/bin/setpriv';
const FETCHMAIL = '/usr/bin/fetchmail';
/** Beside the program of the helper that runs, which may be a bundle, or of the command line, one folder further down. */
const PROGRAMS = ['../fetcher/run.js', '../../fetcher/run.js'].map((file) =>
  path.resolve(path.dirname(process.argv[1] ?? ''), file),
);

/** How a poll ended, as `run.ts` says it. */
export interface FetchAnswer {
  readonly result: PollResult;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly dialogue: readonly string[];
  /** Of a look. */
  readonly looked?: Looked;
}

export interface FetchOrder {
  readonly mode: 'fetch' | 'test' | 'look' | 'seed';
  /** Null for a query that was never saved. */
  readonly id: string | null;
  /** Its numbers, where its name is not known: a lab's accounts exist only within it. */
  readonly account?: { readonly uid: number; readonly gid: number };
  /** For a test or a look: the run control file, given on stdin, so that its password stands in no file. */
  readonly input?: string;
  /** Ends it, if given. A fetch goes on when nobody listens any more. */
  readonly signal?: AbortSignal;
  readonly onLine: (line: string) => void;
}

/** Resolves with how it ended. Throws a `HelperError` when it could not even begin. */
export async function runFetcher(paths: Paths, order: FetchOrder): Promise<FetchAnswer> {
  if (!existsSync(FETCHMAIL)) throw failed('helper.fetchmail.notInstalled', '');
  const { uid = FETCH_USER, gid = FETCH_USER } = order.account ?? {};
  const child = spawn(
    SETPRIV,
    [
      ...['--reuid', String(uid), '--regid', String(gid), '--clear-groups', '--no-new-privs', '--'],
      ...[process.execPath, PROGRAMS.find(existsSync) ?? '', order.mode, order.id ?? '-'],
      ...(paths.root === '' ? [] : ['--root', paths.root]),
    ],
    { cwd: '/', env: CLEAN_ENVIRONMENT, stdio: ['pipe', 'pipe', 'pipe'], detached: true },
  );
  const stop = (): void => void child.kill('SIGTERM');
  order.signal?.addEventListener('abort', stop, { once: true });
  child.stdin.on('error', () => undefined);
  child.stdin.end(order.input ?? '');
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-4_000);
  });
  let answer: FetchAnswer | null = null;
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const said = JSON.parse(line) as { line?: string; outcome?: FetchAnswer };
    if (said.line !== undefined) order.onLine(said.line);
    answer = said.outcome ?? answer;
  });
  const ended = once(lines, 'close');
  await Promise.race([
    once(child, 'exit'),
    once(child, 'error').then(([error]) => Promise.reject(error as Error)),
  ]);
  await ended;
  order.signal?.removeEventListener('abort', stop);
  if (answer === null) throw failed('helper.fetchmail.notStarted', complaint);
  return answer;
}

/** Gives a query a first state of seen mail, unless it has one. */
export async function seedSeen(
  paths: Paths,
  id: string,
  lines: string,
  account?: FetchOrder['account'],
): Promise<void> {
  const order = { mode: 'seed', id, input: lines, onLine: () => undefined } as const;
  await runFetcher(paths, account ? { ...order, account } : order);
}

function failed(key: string, detail: string): HelperError {
  return new HelperError({ stage: 'run', key, values: {}, detail, restored: true });
}
