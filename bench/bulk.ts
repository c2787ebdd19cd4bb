/**
 * Mailings, measured in a lab with people of its own. `node dist/bench/bulk.js speed [recipients]`: one to 10,000 people, as
 * fast as the mail server takes it, beside bare `smtp-source` of messages as long to the same people in the same run, and the
 * memory of the console. `... kill [kills] [people]`: everybody gets it once whoever is killed meanwhile. As root.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { countQueues } from '../lib/privileged/queue/directory.js';
import { DOMAIN, startBulkLab, type BulkLab } from '../test/support/bulk-lab.js';
import { killWhileSending } from '../test/support/bulk-rounds.js';

/** As many as we open. */
const CONNECTIONS = '5';
/** What a mailing may take, as a multiple of what the bare tool takes. */
const LIMIT = 1.5;
/** What the memory of the console may grow by from the first half of a mailing to the second, in percent. */
const GROWTH_LIMIT = 5;
const MIB = 1024;
const MEMORY_LOOKS = 10;

const [what = 'speed', first = '', second = ''] = process.argv.slice(2);
if (what === 'kill') await kills(Number(first || 50), Number(second || 2_000));
else await speed(Number(first || 10_000));

async function kills(count: number, people: number): Promise<void> {
  const at = await startBulkLab(people);
  const started = performance.now();
  try {
    const found = await killWhileSending(at, {
      ...{ kills: count, subject: 'Through kills' },
      // So slow that the kills find it still under way.
      rate: Math.max(60, Math.round((people * 60) / (count * 8))),
      onKill: (kill, who) => console.log(`kill ${kill + 1}: ${who}`),
    });
    console.log(
      `${found.people} people, ${found.during} of ${count} kills while it was sent, in ${seconds(started)} s: ` +
        `nobody twice, ${found.doubtful} left to a person, everybody else once`,
    );
  } finally {
    await at.stop();
  }
}

async function speed(people: number): Promise<void> {
  const at = await startBulkLab(people);
  try {
    await settled(at);
    // Before and after: whatever else the machine does has a part in both.
    const before = await bareTool(at, people);
    const ours = await mailing(at, people);
    await settled(at);
    const after = await bareTool(at, people);
    const ratio = (2 * ours.delivered) / (before.delivered + after.delivered);
    console.log(`${people} recipients      handed in   delivered`);
    console.log(`smtp-source -s ${CONNECTIONS} -d   ${tell(before)}`);
    console.log(`a mailing            ${tell(ours)}`);
    console.log(`smtp-source once more${tell(after)}`);
    console.log(`ratio ${ratio.toFixed(2)} until all is delivered (limit ${LIMIT})`);
    const { memory } = ours;
    console.log(`memory of the console: ${memory[0]} MB before, ${Math.max(...memory)} MB at most`);
    console.log(`  in ${MEMORY_LOOKS} even steps of the mailing: ${steps(memory).join(' ')} MB`);
    const growth = growthOf(memory);
    console.log(`  ${growth.toFixed(1)} % more at most in its second half (limit ${GROWTH_LIMIT})`);
    console.log(`processor time of the console: ${ours.cpu.toFixed(1)} s`);
    if (ratio > LIMIT || growth > GROWTH_LIMIT) process.exitCode = 1;
  } finally {
    await at.stop();
  }
}

/** What a course that is flat shows early and late. */
function steps(course: readonly number[]): readonly (number | undefined)[] {
  return Array.from({ length: MEMORY_LOOKS }, (_, step) =>
    course.at(Math.round((step * (course.length - 1)) / (MEMORY_LOOKS - 1))),
  );
}

/** By how much the second half goes over the most that the first one took, in percent; garbage comes and goes in both. */
function growthOf(course: readonly number[]): number {
  const middle = Math.ceil(course.length / 2);
  const most = Math.max(...course.slice(0, middle));
  return Math.max(0, (100 * Math.max(...course.slice(middle))) / most - 100);
}

interface Times {
  readonly handedIn: number;
  readonly delivered: number;
}

function tell({ handedIn, delivered }: Times): string {
  return `${handedIn.toFixed(1).padStart(8)} s ${delivered.toFixed(1).padStart(9)} s`;
}

/** Messages of the length that ours have, from the same sender, to the same people. */
async function bareTool({ lab }: BulkLab, people: number): Promise<Times> {
  const started = performance.now();
  const child = spawn(
    '/usr/sbin/smtp-source',
    [
      ...['-s', CONNECTIONS, '-d', '-m', String(people), '-l', '700', '-N'],
      ...['-f', `alice@${DOMAIN}`, '-t', `person@${DOMAIN}`, `127.0.0.1:${lab.smtpPort}`],
    ],
    { stdio: 'inherit' },
  );
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`smtp-source: ${code}`);
  const handedIn = seconds(started);
  await empty(lab);
  return { handedIn, delivered: seconds(started) };
}

async function mailing(at: BulkLab, people: number) {
  const { console: pid } = (await at.lab.facts()).pids;
  const memory = [residentMib(pid)];
  const watch = setInterval(() => void memory.push(residentMib(pid)), 500);
  const draft = await at.write({
    subject: 'To all',
    include: ['everyone'],
    rate: '',
    formatted: null,
  });
  const started = performance.now();
  const cpuBefore = cpuSeconds(pid);
  await at.send(draft);
  await at.waitFor(draft, /The mailing is sent/);
  const handedIn = seconds(started);
  await empty(at.lab);
  const delivered = seconds(started);
  const cpu = cpuSeconds(pid) - cpuBefore;
  await at.waitFor(draft, new RegExp(`${people.toLocaleString('en')} were delivered`));
  clearInterval(watch);
  return { handedIn, delivered, cpu, memory };
}

async function empty({ root }: BulkLab['lab']): Promise<void> {
  const queueDir = `${root}/var/spool/postfix`;
  for (;;) {
    const { maildrop, incoming, active, deferred } = countQueues(queueDir);
    if (maildrop + incoming + active + deferred === 0) return;
    await pause(50);
  }
}

async function settled(at: BulkLab): Promise<void> {
  await empty(at.lab);
  await pause(2_000);
}

/** In ticks of a hundredth of a second (proc(5)). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function residentMib(pid: number): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib ?? 0) / MIB);
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 100) / 10;
}
