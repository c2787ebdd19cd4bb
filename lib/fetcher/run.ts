/**
 * One poll for somebody who waits: `node dist/lib/fetcher/run.js fetch|test|look|seed ID|- [--root DIR]`, as the account
 * that fetches. Says lines of JSON: `{"line":...}` while it works, `{"outcome":...}` at the end. A test reads the run
 * control file from stdin, a look a line of JSON (`LookWish`) before it, seed what was seen before. That nobody listens
 * any more does not end a fetch that has begun.
 */
import { text } from 'node:stream/consumers';
import { readFile } from 'node:fs/promises';
import { parseSchedule } from '../fetchmail/schedule.js';
import { fetchOnce, lookOnce, seedSeen, testOnce, type PollOptions } from './poll.js';
import type { LookWish } from './look.js';
import { fetchPlaces } from './places.js';

const [mode, id = '-', flag, folder] = process.argv.slice(2);
const places = fetchPlaces(flag === '--root' ? (folder ?? '') : '');
const end = new AbortController();
process.stdout.on('error', () => undefined);
process.on('SIGTERM', () => end.abort());

const say = (value: object): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};
const options: PollOptions = { signal: end.signal, onLine: (line) => say({ line }) };

async function run() {
  if (mode === 'seed') return seedSeen(places, id, await text(process.stdin));
  const saved = id === '-' ? null : id;
  if (mode === 'test') return testOnce(places, saved, await text(process.stdin), options);
  if (mode === 'look') {
    const [wish = '', ...runControl] = (await text(process.stdin)).split('\n');
    return lookOnce(places, saved, runControl.join('\n'), JSON.parse(wish) as LookWish, options);
  }
  const { deliveryPort } = parseSchedule(await readFile(places.schedule, 'utf8'));
  return fetchOnce(places, id, deliveryPort, options);
}

say({ outcome: await run() });
