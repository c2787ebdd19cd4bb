/**
 * The queue page over queues of 1,000 to 100,000 deferred messages, beside bare `postqueue -j` and `postsuper -d -` in the
 * same run: first page, filtered, sorted and grouped pages, memory, and a deletion of half of the queue.
 * `node dist/bench/queue.js [size …]`, as root.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { countQueues } from '../lib/privileged/queue/directory.js';
import { FRESH_MS } from '../lib/queue/pictures.js';
import { startLab, type Lab } from '../test/support/lab.js';
import { until } from '../test/support/wait.js';
import { startConsole, type ConsoleProcess } from './console-process.js';

const SIZES = [1_000, 10_000, 50_000, 100_000];
/** Each measurement is repeated, in turn with the bare tool, and its median is told. */
const ROUNDS = 3;
/** Messages come from so many senders for as many domains; mail of half of them is deleted by us, of half by the bare tool. */
const SENDERS = ['anna', 'ben', 'cora', 'dirk'] as const;
const MESSAGE_BYTES = 2_000;
const MIB = 1024 * 1024;
/** How often another page is asked for while a deletion runs, in milliseconds. */
const ASK_EVERY_MS = 250;
/** A page that needs nothing of the helper. */
const OTHER_PAGE = '/mail/history';
const WARM_UP_PAGES = 20;
/** So long somebody looks at the overview, in milliseconds. */
const FORESEEN_MS = 1_000;
const FIRST_PAGES = 2;
const FRESH_PAGES = 5;
const PAGES = {
  'filtered by cause': '/mail/queue?reason=refused&sort=oldest',
  'filtered by text': '/mail/queue?q=example&sort=newest',
  'sorted by size': '/mail/queue?sort=largest',
  'grouped, page 7': '/mail/queue?sort=oldest&page=7',
} as const;

const run = promisify(execFile);
const sizes = process.argv.slice(2).map(Number);
const lab = await startLab();
const state = await mkdtemp(join(tmpdir(), 'mailserver-bench-'));
let login: Parameters<typeof startConsole>[2] = null;
try {
  await settle(lab);
  const { queueDir } = await lab.facts();
  for (const size of sizes.length > 0 ? sizes : SIZES) {
    await fill(lab, queueDir, size);
    tell(`\n${size} deferred messages`);
    const rows = new Map<string, number[]>();
    const note = (name: string, value: number): void => {
      rows.set(name, [...(rows.get(name) ?? []), value]);
    };
    try {
      await measure(note);
    } finally {
      report(rows);
    }
  }
} finally {
  await lab.stop();
  await rm(state, { recursive: true, force: true });
}

async function measure(note: Note): Promise<void> {
  const { helperSocket, queueDir } = await lab.facts();
  for (let round = 0; round < ROUNDS; round += 1) {
    const console = await startConsole(state, helperSocket, login);
    login = console.login;
    try {
      await look(console, note, round);
      if (round === ROUNDS - 1) await remove(console, queueDir, note);
    } finally {
      await console.stop();
    }
  }
}

/** All mail meets a closed port, and is not tried again while we measure. */
async function settle({ configDir }: Lab): Promise<void> {
  const edit = ['-c', configDir, '-e', 'relayhost=[127.0.0.1]:1', 'minimal_backoff_time=5h'];
  await run('/usr/sbin/postconf', [...edit, 'maximal_backoff_time=5h', 'queue_run_delay=5h']);
  await run('/usr/sbin/postfix', ['-c', configDir, 'reload']);
}

async function fill({ smtpPort }: Lab, queueDir: string, size: number): Promise<void> {
  const missing = size - countQueues(queueDir).deferred;
  await Promise.all(
    SENDERS.map(async (sender, at) => {
      const count = Math.floor((missing + at) / SENDERS.length);
      if (count < 1) return;
      const many = ['-s', '8', '-m', String(count), '-l', String(MESSAGE_BYTES)];
      const addresses = ['-f', `${sender}@acme.example`, '-t', `info@${sender}.example`];
      await run('/usr/sbin/smtp-source', [...many, ...addresses, `127.0.0.1:${smtpPort}`]);
    }),
  );
  await until(
    'all messages to be deferred',
    () => countQueues(queueDir).deferred >= size,
    60 * 60 * 1000,
  );
}

type Note = (name: string, value: number) => void;

async function look(watched: ConsoleProcess, note: Note, round: number): Promise<void> {
  const { client } = watched;
  for (let page = 0; page < WARM_UP_PAGES; page += 1) await client.get('/mail/history');
  if (round === 0) {
    note('first page, nothing known, ms', (await timed(() => client.get('/mail/queue'))).ms);
  } else {
    await client.get('/mail/');
    await pause(FORESEEN_MS);
    const first = await timed(() => client.get('/mail/queue'));
    note('first page, after the overview, ms', first.ms);
  }
  const before = await watched.memory();
  for (let page = 0; page < FIRST_PAGES; page += 1) {
    await pause(FRESH_MS + 500);
    const first = await timed(() => client.get('/mail/queue'));
    note('first page, ms', first.ms);
    note('first page, seen again, ms', (await timed(() => client.get('/mail/queue'))).ms);
    note('first page, kB', Buffer.byteLength(first.value.html) / 1000);
  }
  const [name, path] = Object.entries(PAGES)[round % Object.keys(PAGES).length] as [string, string];
  const bare = [await bareListing()];
  const stale = await timed(() =>
    until('the list', async () => (await client.get(path)).html.includes('id="queue-rows"')),
  );
  bare.push(await bareListing());
  note('bare postqueue -j, ms', sum(bare) / bare.length);
  note(`${name}, not read yet, ms`, stale.ms);
  note('… times the bare tool', (stale.ms * bare.length) / sum(bare));
  for (const [kind, address] of Object.entries(PAGES)) {
    for (let again = 0; again < FRESH_PAGES; again += 1) {
      note(`${kind}, read already, ms`, (await timed(() => client.get(address))).ms);
    }
  }
  note('memory grown, MiB', ((await watched.memory()) - before) / MIB);
}

/** Ours and the bare tool in turn, so that neither has the emptier queue. */
async function remove({ client }: ConsoleProcess, queueDir: string, note: Note): Promise<void> {
  const { deferred } = countQueues(queueDir);
  const calm = [];
  for (let page = 0; page < FRESH_PAGES; page += 1) {
    calm.push((await timed(() => client.get(OTHER_PAGE))).ms);
  }
  let bare = await bareDeletion('anna');
  let ours = 0;
  const asked: number[] = [];
  for (const sender of ['ben', 'cora']) ours += await ourDeletion(client, sender, asked);
  bare += await bareDeletion('dirk');
  const left = countQueues(queueDir).deferred;
  if (left > 0) throw new Error(`${left} messages are left`);
  note('deleted by each', deferred / 2);
  note('bare postsuper -d -, ms', bare);
  note('delete all that match, ms', ours);
  note('… times the bare tool for it', ours / bare);
  note('another page before, ms', median(calm));
  note('another page meanwhile, ms', median(asked));
  note('another page meanwhile at worst, ms', Math.max(...asked));
}

async function ourDeletion(
  client: ConsoleProcess['client'],
  sender: string,
  asked: number[],
): Promise<number> {
  const path = `/mail/queue?sender=${sender}@acme.example&sort=oldest`;
  const list = await until('the list', async () => {
    const page = await client.get(path);
    return page.html.includes('id="queue-rows"') ? page : null;
  });
  const question = await client.send(list, { all: 'filter' }, { button: 'action=delete' });
  const other = client.clone();
  let over = false;
  const asking = (async () => {
    while (!over) {
      asked.push((await timed(() => other.get(OTHER_PAGE))).ms);
      await pause(ASK_EVERY_MS);
    }
  })();
  // What goes wrong there is told at the end, and not before what was measured.
  asking.catch(() => undefined);
  const { ms } = await timed(async () => {
    const started = await client.send(question, { confirm: 'yes' });
    const job = new URL(started.url).searchParams.get('job') ?? '';
    await until('the job to end', async () => {
      const { html } = await client.get(`/mail/queue/jobs/${job}`);
      return !html.includes('<progress');
    });
  });
  over = true;
  await asking;
  return ms;
}

async function bareDeletion(sender: string): Promise<number> {
  const ids = await idsOf(`${sender}@acme.example`);
  return (
    await timed(async () => {
      const child = spawn('/usr/sbin/postsuper', ['-c', lab.configDir, '-d', '-'], {
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      child.stdin.end(ids.map((id) => `${id}\n`).join(''));
      await once(child, 'exit');
    })
  ).ms;
}

async function idsOf(sender: string): Promise<readonly string[]> {
  const child = spawn('/usr/sbin/postqueue', ['-c', lab.configDir, '-j'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ids: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const message = JSON.parse(line) as { queue_id: string; sender: string };
    if (message.sender === sender) ids.push(message.queue_id);
  }
  return ids;
}

async function bareListing(): Promise<number> {
  return (
    await timed(async () => {
      const child = spawn('/usr/sbin/postqueue', ['-c', lab.configDir, '-j'], { stdio: 'ignore' });
      await once(child, 'exit');
    })
  ).ms;
}

async function timed<T>(
  what: () => Promise<T>,
): Promise<{ readonly ms: number; readonly value: T }> {
  const started = performance.now();
  const value = await what();
  return { ms: performance.now() - started, value };
}

function report(rows: ReadonlyMap<string, readonly number[]>): void {
  for (const [name, values] of rows) {
    const middle = median(values);
    const best = Math.min(...values);
    const spread = values.length > 1 ? `  (best ${round(best)} of ${values.length})` : '';
    tell(`  ${name.padEnd(40)} ${round(middle).padStart(9)}${spread}`);
  }
}

function round(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function tell(text: string): void {
  process.stdout.write(`${text}\n`);
}
