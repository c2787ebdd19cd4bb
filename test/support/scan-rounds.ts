/**
 * Random steps on all that looks at mail in a private root: scanners and policy servers switched on and off, moved before or
 * after the queue, killed, put right. After each the picture of the chain must equal what asking finds, Postfix must greet,
 * and mail must flow, wait or pass marked as the picture and the settings say. In the end all that was taken has arrived.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { proveScan, scanExpectationOf } from '../../lib/privileged/apply/scan-proof.js';
import { portsOf } from '../../lib/privileged/ports.js';
import { askPolicy, probeRequest } from '../../lib/privileged/services/policy-servers.js';
import { NO_POLICY, type PolicySettings } from '../../lib/policy/schema.js';
import { SPF_SERVICE } from '../../lib/policy/section.js';
import { findGaps, ofScanners } from '../../lib/security/chain.js';
import type { ScannerStatus } from '../../lib/security/service.js';
import { SECURITY_DEFAULTS, type SecuritySettings } from '../../lib/security/schema.js';
import { readMbox } from './mailbox.js';
import type { PostfixRoot } from './postfix-root.js';
import { randomNumbers } from './random-numbers.js';
import type { Saver } from './saver.js';
import { sendMail, SmtpClient } from './smtp-client.js';
import { until } from './wait.js';

const REPAIRS = ['policy', 'group', 'freshclam', 'clamav', 'amavis'] as const;
/** Daemons by the part of the chain that they are. */
const DAEMONS = {
  amavis: 'amavis',
  clamav: 'clamav-daemon',
  freshclam: 'clamav-freshclam',
  postgrey: 'postgrey',
  blockLists: 'mailserver-block-lists',
} as const;
type Killed = keyof typeof DAEMONS;
/** A list that nobody has: asked, and never believed. */
const LIST = { zone: 'list.mailserver.invalid', weight: 1, enabled: true } as const;

export interface ScanRound {
  readonly step: string;
  readonly gaps: number;
  readonly ms: number;
}

/**
 * Throws at the first step after which picture and reality differ. `lab.test` must be a local domain of the root, and its
 * Postfix must take XCLIENT from loopback.
 */
export async function runScanRounds(
  root: PostfixRoot,
  saver: Saver,
  { count, seed, onRound }: { count: number; seed: number; onRound?: (round: ScanRound) => void },
): Promise<void> {
  const random = randomNumbers(seed);
  let settings: SecuritySettings = SECURITY_DEFAULTS;
  let policy: PolicySettings = NO_POLICY;
  /** Greylisting knows a network again, so each comes from another. */
  let strangers = 0;
  /** Subjects of what was taken. */
  const taken: string[] = [];
  /** Mails that were looked at already, and whether scanning was on then. */
  const seen = { mails: 0, on: false };
  await saver.save({ security: settings, policy });
  for (let index = 0; index < count; index += 1) {
    const began = Date.now();
    const step = await takeStep();
    const gaps = await compare(`${index}: ${step}`);
    onRound?.({ step, gaps, ms: Date.now() - began });
  }
  await saver.save({ security: SECURITY_DEFAULTS, policy: NO_POLICY });
  await root.run('/usr/sbin/postqueue', ['-c', root.places.configDir, '-f']);
  await until('all that was taken to arrive', async () => {
    const mails = await mailbox();
    return taken.every((subject) => mails.some((mail) => mail.includes(subject)));
  });

  async function takeStep(): Promise<string> {
    const running = await runningParts();
    const dice = random();
    if (running.length > 0 && dice < 0.25) return kill(running);
    if (running.length > 0 && dice < 0.45) return repair();
    if (dice < 0.7) {
      policy = {
        ...NO_POLICY,
        greylisting: random() < 0.5,
        greylistAutoAllow: 0,
        spf: random() < 0.5 ? 'refuse' : 'off',
        blockLists: random() < 0.5 ? [LIST] : [],
      };
      await saver.save({ policy });
      const { greylisting, spf, blockLists } = policy;
      return `save policy ${greylisting ? 'greylisting ' : ''}spf ${spf} lists ${blockLists.length}`;
    }
    settings = {
      ...settings,
      spam: random() < 0.6,
      virus: random() < 0.6,
      place: random() < 0.5 ? 'after' : 'before',
      whileDown: random() < 0.7 ? 'wait' : 'pass',
    };
    await saver.save({ security: settings });
    return `save ${settings.spam ? 'spam ' : ''}${settings.virus ? 'virus ' : ''}${settings.place} ${settings.whileDown}`;
  }

  /** What the settings ask for, whether it is up or not. */
  function wantedParts(): readonly Killed[] {
    const { spam, virus } = settings;
    return [
      ...(spam || virus ? (['amavis'] as const) : []),
      ...(virus ? (['clamav', 'freshclam'] as const) : []),
      ...(policy.greylisting ? (['postgrey'] as const) : []),
      ...(policy.blockLists.length > 0 ? (['blockLists'] as const) : []),
    ];
  }

  async function pidOf(part: Killed): Promise<number | null> {
    const file = `${root.places.root}/run/mailserver-daemons/${DAEMONS[part]}.pid`;
    const [id] = (await readFile(file, 'utf8').catch(() => '')).split(' ');
    const status = id ? await readFile(`/proc/${id}/stat`, 'latin1').catch(() => '') : '';
    return /\) [ZX] /.test(status) || status === '' ? null : Number(id);
  }

  async function runningParts(): Promise<readonly Killed[]> {
    const wanted = wantedParts();
    const ids = await Promise.all(wanted.map(pidOf));
    return wanted.filter((_, at) => ids[at] !== null);
  }

  async function kill(running: readonly Killed[]): Promise<string> {
    const part = running[Math.floor(random() * running.length)] ?? 'amavis';
    const id = await pidOf(part);
    if (id !== null) process.kill(-id, 'SIGKILL');
    await until(`${part} to be gone`, async () => (await pidOf(part)) === null);
    return `kill ${part}`;
  }

  async function repair(): Promise<string> {
    const params = { parts: [...REPAIRS] };
    const { proof } = await root.helper.call('security-repair', params, { actor: 'test' });
    assert.ok(proof.every(({ ok }) => ok));
    return 'put right';
  }

  /** The number of gaps. */
  async function compare(step: string): Promise<number> {
    const status = await root.helper.call('security-status', {}, { actor: 'test' });
    assert.deepEqual(status.settings, settings, step);
    const gaps = findGaps(status, new Date());
    const broken = ofScanners(gaps).filter(({ severity }) => severity === 'bad');
    const on = settings.spam || settings.virus;
    const ports = await portsOf(root.places);
    const questions = { ...settings, before: settings.place === 'before' };
    const expected = scanExpectationOf({ port: (name) => ports[name] }, questions);
    const proof = on ? await proveScan(expected) : [];
    const works = proof.every(({ ok }) => ok);
    assert.equal(broken.length === 0, works, `${step}: ${JSON.stringify({ broken, proof })}`);
    const fetches = settings.virus && (await pidOf('freshclam')) === null;
    assert.equal(
      gaps.some(({ part }) => part === 'freshclam'),
      fetches,
      step,
    );
    await comparePolicy(step, status.policy, ports);
    const subject = `round-${step.replace(/\W+/g, '-')}-${Date.now()}`;
    const mail = { from: 'x@client.example', to: 'alice@lab.test', subject };
    const code = (await sendMail(root.smtpPort, mail)).data?.code ?? 0;
    const passes = !works && (await passesMarked());
    if (code === 250) taken.push(subject);
    if (works || passes) {
      assert.equal(code, 250, step);
      const found = await until(subject, async () =>
        (await mailbox()).find((one) => one.includes(subject)),
      );
      assert.equal(/^Subject: \*{3}UNCHECKED\*{3} /m.test(found), passes, `${step}: ${found}`);
    } else {
      assert.ok(code === 250 || (code >= 400 && code < 500), `${step}: ${code}`);
    }
    await nothingUnscanned(step, on);
    return gaps.length;
  }

  function mailbox(): Promise<readonly string[]> {
    return readMbox(`${root.places.mailboxes}/alice`);
  }

  /** Whether mail passes although the virus scanner does not look at it. */
  async function passesMarked(): Promise<boolean> {
    const { virus, whileDown } = settings;
    const [amavis, clamav] = await Promise.all([pidOf('amavis'), pidOf('clamav')]);
    return virus && whileDown === 'pass' && amavis !== null && clamav === null;
  }

  /** While scanning was on all the time, whatever arrived came by amavis. */
  async function nothingUnscanned(step: string, on: boolean): Promise<void> {
    const mails = await mailbox();
    if (on && seen.on) {
      for (const one of mails.slice(seen.mails)) assert.match(one, /\(amavis, port \d+\)/, step);
    }
    Object.assign(seen, { mails: mails.length, on });
  }

  async function comparePolicy(
    step: string,
    picture: ScannerStatus['policy'],
    ports: Awaited<ReturnType<typeof portsOf>>,
  ): Promise<void> {
    const socket = { path: `${root.places.queueDir}/private/${SPF_SERVICE}` };
    const local = (port: number) => ({ host: '127.0.0.1', port });
    const wanted = {
      postgrey: policy.greylisting ? local(ports.policy) : null,
      spf: policy.spf === 'off' ? null : socket,
      blockLists: policy.blockLists.length > 0 ? local(ports.blockLists) : null,
    };
    const seen: Record<string, boolean> = {};
    for (const [part, target] of Object.entries(wanted)) {
      const answer =
        target === null ? '' : await askPolicy(target, probeRequest()).catch(() => 'nothing');
      const row = picture.find((one) => one.part === part);
      seen[part] = answer.startsWith('action=');
      assert.deepEqual(
        [row?.wanted, row?.answers, row?.used],
        [target !== null, seen[part], target !== null],
        `${step}: ${part} ${answer}`,
      );
    }
    strangers += 1;
    const answer = await asStranger(`198.${18 + (strangers >> 8)}.${strangers & 255}.7`);
    assert.equal(answer, seen['postgrey'] ? 450 : 250, `${step}: a stranger`);
  }

  /** What the server says to somebody new from elsewhere at RCPT TO. */
  async function asStranger(address: string): Promise<number> {
    const [client] = await SmtpClient.open(root.smtpPort);
    try {
      const taken = await client.command(`XCLIENT ADDR=${address} NAME=client.example`);
      assert.equal(taken.code, 220);
      await client.command('EHLO client.example');
      await client.command('MAIL FROM:<>');
      return (await client.command('RCPT TO:<alice@lab.test>')).code;
    } finally {
      client.close();
    }
  }
}
