/**
 * The scheduler: `node dist/lib/fetcher/main.js [--root DIR]`, as the account that fetches. Needs neither console nor
 * database nor helper: the schedule is a file, and it is followed when it changes. Prints `{"ready":true}`.
 */
import { mkdir, readFile, stat, writeFile, rename } from 'node:fs/promises';
import { pino } from 'pino';
import { parseSchedule, type Schedule } from '../fetchmail/schedule.js';
import { createLogDestination } from '../log-destination.js';
import { fetchOnce, readStatus, writeStatus } from './poll.js';
import { fetchPlaces } from './places.js';
import { createScheduler } from './scheduler.js';

/** How often the schedule is looked at, in milliseconds; it also is the longest sleep. */
const LOOK_MS = 1_000;

const log = pino({ name: 'fetcher' }, createLogDestination(2));
const root = process.argv[2] === '--root' ? (process.argv[3] ?? '') : '';
const places = fetchPlaces(root);
const end = new AbortController();

/** What each query was last tried with: whoever enters another password wants to see it work. */
const tried = new Map<string, string>();

const scheduler = createScheduler({
  now: () => performance.now(),
  failuresOf: async (id) => (await readStatus(places.of(id)))?.failures ?? 0,
  poll: async ({ id }, deliveryPort) => {
    tried.set(id, await stampOf(places.runControl(id)));
    try {
      const { result, maybeTwice } = await fetchOnce(places, id, deliveryPort, {
        signal: end.signal,
      });
      const { outcome, code, fetched, left } = result;
      log.info({ query: id, outcome, code, fetched, left }, 'polled');
      for (const messageId of maybeTwice) {
        log.warn({ query: id, messageId }, 'a message may have been handed over twice');
      }
      return outcome;
    } catch (error) {
      log.error({ err: error, query: id }, 'could not be polled');
      return 'unknown';
    }
  },
  onNext: (id, pauseMs) => {
    void rememberNext(id, new Date(Date.now() + pauseMs)).catch((error: unknown) =>
      log.warn({ err: error, query: id }, 'the next look could not be noted'),
    );
  },
});

async function rememberNext(id: string, at: Date): Promise<void> {
  const own = places.of(id);
  const status = await readStatus(own);
  if (status) await writeStatus(own, { ...status, nextAt: at.toISOString() });
}

async function stampOf(file: string): Promise<string> {
  const found = await stat(file).catch(() => null);
  return found === null ? 'none' : `${found.ino}.${found.mtimeMs}.${found.size}`;
}

async function retryChanged(): Promise<void> {
  for (const id of scheduler.failing()) {
    const stamp = await stampOf(places.runControl(id));
    if (tried.has(id) && tried.get(id) !== stamp) scheduler.retry(id);
  }
}

let known = '';

/** No schedule means nothing to do; one that cannot be read leaves the last one in force. */
async function look(): Promise<void> {
  const stamp = await stampOf(places.schedule);
  if (stamp === known) return;
  try {
    const nothing: Schedule = { deliveryPort: 0, queries: [] };
    const text = stamp === 'none' ? null : await readFile(places.schedule, 'utf8');
    scheduler.follow(text === null ? nothing : parseSchedule(text));
    known = stamp;
  } catch (error) {
    log.error({ err: error }, 'the schedule cannot be read');
  }
}

/** That we are alive, for the pages: they must tell when nobody fetches. */
async function beat(): Promise<void> {
  const file = `${places.state}/scheduler.json`;
  await writeFile(`${file}.new`, JSON.stringify({ pid: process.pid, at: new Date() }));
  await rename(`${file}.new`, file);
}

let wake: () => void = () => undefined;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    end.abort();
    wake();
  });
}

await mkdir(places.state, { recursive: true, mode: 0o700 });
process.stdout.write('{"ready":true}\n');
let beatAt = -Infinity;
while (!end.signal.aborted) {
  await look();
  await retryChanged();
  if (performance.now() - beatAt > 10_000) {
    beatAt = performance.now();
    await beat().catch((error: unknown) => log.warn({ err: error }, 'no sign of life'));
  }
  const pause = Math.min(scheduler.tick(), LOOK_MS);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, pause);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
await scheduler.idle();
process.exit(0);
