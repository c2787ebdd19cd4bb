/**
 * The search of the mail log over a log of 1 GB (or as many MiB as given), beside `grep` for the same text in the same run:
 * a recipient that is there once, one that is nowhere, a queue id, the newest mails, refusals; time to the first find,
 * and memory. `node dist/bench/trace.js [MiB]`.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathsBelow } from '../lib/privileged/paths.js';
import { LogFiles } from '../lib/privileged/trace/log-files.js';
import { searchLog } from '../lib/privileged/trace/search.js';
import { ANYTHING } from '../lib/trace/query.js';
import type { Wanted } from '../lib/trace/schema.js';
import { inWords } from './measure.js';

const MIB = 1024 * 1024;
const ROUNDS = 3;
const MAILS_AT_ONCE = 5_000;
const RECIPIENTS = 4_999;
const size = Number(process.argv[2] ?? 1024) * MIB;

const root = mkdtempSync(join(tmpdir(), 'mailserver-bench-'));
try {
  const log = `${root}/var/log/mail.log`;
  mkdirSync(`${root}/var/log`, { recursive: true });
  mkdirSync(pathsBelow(root).stateDir, { recursive: true });
  const mails = fill(log);
  tell(`${Math.round(size / MIB)} MiB of log, ${mails} mails`);
  const middle = Math.floor(mails / 2);
  await compare('a recipient that is nowhere', { recipient: 'nobody@nowhere.example' }, log);
  await compare('a sender of one mail', { sender: `sender${middle}@` }, log, `sender${middle}@`);
  await compare('a queue id', { id: idOf(middle) }, log, idOf(middle));
  await compare('a recipient of many mails', { recipient: 'user77@acme.example' }, log);
  await compare('the newest mails', {}, log, '');
  await compare('refusals', { kind: 'refusals' }, log, 'NOQUEUE: reject');
  tell(`memory at the end: ${Math.round(process.memoryUsage().rss / MIB)} MiB`);
} finally {
  rmSync(root, { recursive: true });
}

/** Without `text` grep looks for the recipient. */
async function compare(
  name: string,
  wanted: Partial<Wanted>,
  log: string,
  text = wanted.recipient ?? '',
): Promise<void> {
  const ours: number[] = [];
  const firsts: number[] = [];
  const greps: number[] = [];
  let found = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    if (text !== '') {
      const started = performance.now();
      // Written to nowhere, grep would end at the first line it finds.
      spawnSync('/usr/bin/grep', ['-ciF', '--', text, log]);
      greps.push(performance.now() - started);
    }
    const files = await LogFiles.find(pathsBelow(root), '');
    const started = performance.now();
    let first = 0;
    found = 0;
    await searchLog({
      files,
      wanted: { ...ANYTHING, ...wanted },
      signal: new AbortController().signal,
      onFound: () => {
        found += 1;
        if (found === 1) first = performance.now() - started;
        return Promise.resolve();
      },
      onProgress: () => undefined,
    });
    ours.push(performance.now() - started);
    firsts.push(first);
    await files.close();
  }
  const beside =
    greps.length === 0 ? '' : `, grep ${inWords(greps)}: ${(sum(ours) / sum(greps)).toFixed(1)} ×`;
  tell(
    `${name}: ${found} found, the first after ${inWords(firsts)}, all ${inWords(ours)}${beside}`,
  );
}

/** Five lines a mail, as Postfix writes them, and a refusal now and then. Returns how many mails there are. */
function fill(log: string): number {
  const file = openSync(log, 'w');
  let written = 0;
  let mail = 0;
  while (written < size) {
    const lines: string[] = [];
    for (let at = 0; at < MAILS_AT_ONCE; at += 1, mail += 1) lines.push(...linesOf(mail));
    written += writeSync(file, `${lines.join('\n')}\n`, null, 'latin1');
  }
  closeSync(file);
  return mail;
}

function linesOf(mail: number): string[] {
  const id = idOf(mail);
  const day = String(1 + (Math.floor(mail / 150_000) % 28)).padStart(2);
  const stamp = `Nov ${day} 10:${String(Math.floor(mail / 2500) % 60).padStart(2, '0')}:00 mail postfix`;
  const to = `user${mail % RECIPIENTS}@acme.example`;
  const lines = [
    `${stamp}/smtpd[1234]: ${id}: client=mx${mail % 977}.example.net[192.0.2.${mail % 250}]`,
    `${stamp}/cleanup[1235]: ${id}: message-id=<${mail}.x@example.net>`,
    `${stamp}/qmgr[99]: ${id}: from=<sender${mail}@example.net>, size=${mail % 99_999}, nrcpt=1 (queue active)`,
    `${stamp}/local[1236]: ${id}: to=<${to}>, relay=local, delay=0.07, delays=0.04/0.01/0/0.02, dsn=2.0.0, status=sent (delivered to mailbox)`,
    `${stamp}/qmgr[99]: ${id}: removed`,
  ];
  if (mail % 500 > 0) return lines;
  const refused = `550 5.1.1 <x@acme.example>: Recipient address rejected: User unknown in local recipient table`;
  const envelope = `from=<s@example.net> to=<x@acme.example> proto=ESMTP helo=<x>`;
  return [
    ...lines,
    `${stamp}/smtpd[1234]: NOQUEUE: reject: RCPT from x[192.0.2.9]: ${refused}; ${envelope}`,
  ];
}

function idOf(mail: number): string {
  return (mail + 0x40_00_00_00_00).toString(16).toUpperCase();
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

function tell(text: string): void {
  console.log(text);
}
