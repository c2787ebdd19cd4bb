/**
 * Many mails through the scanners, a virus in some of them, while the scanner and amavis are killed in the middle of it and
 * put right again: all that was taken comes once, after it was looked at, and no virus comes at all.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { TEST_VIRUS } from '../../lib/privileged/apply/scan-proof.js';
import { QUARANTINE_FOLDER } from '../../lib/security/places.js';
import { readMbox } from './mailbox.js';
import type { PostfixRoot } from './postfix-root.js';
import { sendMail } from './smtp-client.js';
import { until } from './wait.js';

const SENDERS = 6;
/** Before a sender tries again what was put off, in milliseconds. */
const RETRY_MS = 250;
/** Between two runs of the queue, in milliseconds: what was put off while it was put right need not wait for its next try. */
const FLUSH_MS = 2_000;
/** How long one mail may take in the end, in milliseconds. */
const PATIENCE_MS = 3_000;

export interface ScanLoad {
  readonly messages: number;
  /** Every so manieth has a virus in it. */
  readonly infectedEvery: number;
  /** Who gets them: nobody else sends to this user. */
  readonly login: string;
  /** Called when a third of them was sent: kills something. Resolves when that has been noticed. */
  readonly breakIt: () => Promise<void>;
  /** Called when two thirds were sent, or nothing goes any further. */
  readonly mendIt: () => Promise<void>;
}

export interface ScanLoadResult {
  /** Tries that the server put off while they were sent. */
  readonly putOff: number;
  readonly refused: number;
}

/** Throws when a mail is lost, comes twice or unscanned, or a virus comes through. `lab.test` must be a local domain. */
export async function runScanLoad(
  root: PostfixRoot,
  { messages, infectedEvery, login, breakIt, mendIt }: ScanLoad,
): Promise<ScanLoadResult> {
  const name = (index: number): string => `load-${login}-${String(index).padStart(5, '0')}`;
  const isInfected = (index: number): boolean => index % infectedEvery === 0;
  let [next, settled, putOff] = [0, 0, 0];
  const refused = new Set<number>();
  const send = async (index: number): Promise<void> => {
    const mail = { from: 'x@client.example', to: `${login}@lab.test`, subject: name(index) };
    const body = isInfected(index) ? TEST_VIRUS : `${'x'.repeat(70)}\n`.repeat(20);
    for (;;) {
      const answer = await sendMail(root.smtpPort, { ...mail, body }).catch(() => null);
      const code = answer?.data?.code ?? 400;
      if (code === 250) return;
      if (code >= 500) {
        refused.add(index);
        return;
      }
      putOff += 1;
      await pause(RETRY_MS);
    }
  };
  const sender = async (): Promise<void> => {
    while (next < messages) {
      const index = next;
      next += 1;
      await send(index);
      settled += 1;
    }
  };
  const senders = Promise.all(Array.from({ length: SENDERS }, sender));
  const troubles = (async () => {
    await until('a third of them to be sent', () => settled >= messages / 3);
    await breakIt();
    await mendIt();
  })();
  await Promise.all([senders, troubles]);

  const all = Array.from({ length: messages }, (_, index) => index);
  const taken = all.filter((index) => !refused.has(index));
  const clean = taken.filter((index) => !isInfected(index)).map(name);
  const infected = taken.filter(isInfected).map(name);
  let flushed = 0;
  await until(
    'all of them to arrive, and each virus to be kept',
    async () => {
      if (Date.now() - flushed > FLUSH_MS) {
        await root.run('/usr/sbin/postqueue', ['-c', root.places.configDir, '-f']);
        flushed = Date.now();
      }
      const [come, kept] = [await arrived(), await inQuarantine()];
      return clean.every((one) => come.has(one)) && infected.every((one) => kept.has(one));
    },
    messages * PATIENCE_MS,
  );
  const mails = (await readMbox(`${root.places.mailboxes}/${login}`)).map((mail) => {
    const [header = ''] = mail.split('\n\n');
    return { header, subject: subjectOf(header) };
  });
  assert.deepEqual(mails.map(({ subject }) => subject).sort(), clean, 'each once, and no other');
  for (const { header, subject } of mails) {
    assert.match(header, /^X-Virus-Scanned: /m, `${subject} was not looked at`);
  }
  const refusedWell = [...refused].filter((index) => !isInfected(index)).map(name);
  assert.deepEqual(refusedWell, [], 'refused without a virus');
  return { putOff, refused: refused.size };

  async function arrived(): Promise<ReadonlySet<string>> {
    const boxed = await readMbox(`${root.places.mailboxes}/${login}`);
    return new Set(boxed.map(subjectOf));
  }

  async function inQuarantine(): Promise<ReadonlySet<string>> {
    const folder = root.places.root + QUARANTINE_FOLDER;
    const texts = (await readdir(folder)).map((file) =>
      readFile(`${folder}/${file}`, 'latin1').catch(() => ''),
    );
    return new Set((await Promise.all(texts)).map(subjectOf));
  }
}

function subjectOf(mail: string): string {
  return /^Subject: (.*)$/m.exec(mail)?.[1]?.trim() ?? '';
}
