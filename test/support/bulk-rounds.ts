/** Rounds in which console, helper or Postfix are killed while a mailing is sent, and the count in the mailboxes afterwards. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { runNative } from '../../lib/privileged/native.js';
import { countMailboxes, type BulkLab } from './bulk-lab.js';
import { until } from './wait.js';

export interface BulkRounds {
  readonly kills: number;
  /** Messages a minute, so that there is time for the kills. */
  readonly rate: number;
  readonly subject: string;
  readonly onKill?: (kill: number, who: string) => void;
}

export interface BulkCount {
  readonly people: number;
  /** Those of whom the page says that nobody knows. */
  readonly doubtful: number;
  /** How many of the kills came before the last message was sent. */
  readonly during: number;
}

const VICTIMS = ['console', 'helper', 'console', 'master', 'console', 'smtpd', 'both'] as const;
type Victim = (typeof VICTIMS)[number];
/** Whoever starts them again gives up a program that ends more often within a minute. */
const RESTARTS = 5;
const MINUTE_MS = 60_000;

/**
 * Sends to everybody in the group `everyone` and kills meanwhile. Throws when anybody got it twice, or did not get it although
 * the page does not say so. A Postfix that is killed may put a message of its queue into a mailbox once more: that has the
 * same queue id, and was handed in once.
 */
export async function killWhileSending(at: BulkLab, rounds: BulkRounds): Promise<BulkCount> {
  const { kills, rate, subject, onKill = () => undefined } = rounds;
  const draft = await at.write({ subject, include: ['everyone'], rate: String(rate) });
  const page = await at.send(draft);
  const people = Number(/of (\d[\d,]*) messages? sent/.exec(page.text)?.[1]?.replaceAll(',', ''));
  assert.ok(people > 0, page.text);
  let during = 0;
  const killed: Killed[] = [];
  for (let kill = 0; kill < kills; kill += 1) {
    await pause(randomInt(50, 1_500));
    const victim = choose(killed);
    killed.push({ victim, at: Date.now() });
    onKill(kill, victim);
    await strike(at, victim);
    const seen = await at.waitFor(draft, /Mailing: /);
    if (/Pause/.test(seen.text)) during += 1;
  }
  await at.waitFor(draft, /The mailing is sent/);
  const doubtful = await doubtfulLogins(at, draft);
  const boxes = await until('the mail to be in the mailboxes', async () => {
    const found = await countMailboxes(at.lab, subject);
    return found.size >= people - doubtful.size ? found : null;
  });
  const wrong = [...boxes].filter(([, ids]) => new Set(ids).size !== 1);
  assert.deepEqual(wrong, [], 'nobody got it twice');
  const missing = people - boxes.size;
  assert.ok(missing <= doubtful.size, `${missing} did not get it, ${doubtful.size} are in doubt`);
  return { people, doubtful: doubtful.size, during };
}

interface Killed {
  readonly victim: Victim;
  readonly at: number;
}

/** At random, but nobody so often that nobody starts it again. */
function choose(killed: readonly Killed[]): Victim {
  const lately = killed.filter(({ at }) => Date.now() - at < MINUTE_MS);
  const often = (...names: readonly Victim[]): boolean =>
    lately.filter(({ victim }) => names.includes(victim)).length >= RESTARTS;
  const open = VICTIMS.filter((victim) => {
    if (victim === 'console' || victim === 'both') return !often('console', 'both');
    return victim !== 'helper' || !often('helper');
  });
  return open[randomInt(open.length)] ?? 'smtpd';
}

async function doubtfulLogins(at: BulkLab, draft: string): Promise<ReadonlySet<string>> {
  const table = await at.client.get(`${draft}/export.csv`);
  const lines = table.html.split('\r\n').map((line) => line.split(','));
  const found = lines.filter((fields) => fields[3] === 'doubtful').map(([, login = '']) => login);
  return new Set(found);
}

async function strike(at: BulkLab, victim: Victim): Promise<void> {
  const { pids } = await at.lab.facts();
  if (victim === 'console' || victim === 'both') kill(pids.console);
  if (victim === 'helper') kill(pids.helper);
  if (victim === 'smtpd') for (const pid of await named(at, 'smtpd')) kill(pid);
  if (victim !== 'master' && victim !== 'both') return;
  for (const name of ['master', 'smtpd', 'cleanup']) {
    for (const pid of await named(at, name)) kill(pid);
  }
  const enter = ['-t', String(pids.inside), '-m', '--', '/usr/sbin/postfix'];
  const ask = (verb: string) =>
    runNative('/usr/bin/nsenter', [...enter, '-c', at.lab.configDir, verb]);
  await until('Postfix to run again', async () => {
    // One that says it could not start may have started all the same.
    return (await ask('start')).code === 0 || (await ask('status')).code === 0;
  });
}

async function named(at: BulkLab, name: string): Promise<number[]> {
  return (await at.lab.processes()).filter((pid) => commandOf(pid) === name);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
