/**
 * Random steps on the scanners of a private root: switched on and off, moved before or after the queue, killed, put right.
 * After each the picture of the chain must equal what asking finds, and mail must flow or wait as the picture says.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { proveScan, scanExpectationOf } from '../../lib/privileged/apply/scan-proof.js';
import { portsOf } from '../../lib/privileged/ports.js';
import { findGaps } from '../../lib/security/chain.js';
import { SECURITY_DEFAULTS, type SecuritySettings } from '../../lib/security/schema.js';
import { readMbox } from './mailbox.js';
import type { PostfixRoot } from './postfix-root.js';
import type { Saver } from './saver.js';
import { sendMail } from './smtp-client.js';
import { until } from './wait.js';

const PARTS = ['group', 'freshclam', 'clamav', 'amavis'] as const;
const KILLED = { amavis: 'amavis', clamav: 'clamav-daemon' } as const;

/** A generator of numbers from 0 to below 1 that gives the same ones for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface ScanRound {
  readonly step: string;
  readonly gaps: number;
  readonly ms: number;
}

/** Throws at the first step after which picture and reality differ. `lab.test` must be a local domain of the root. */
export async function runScanRounds(
  root: PostfixRoot,
  saver: Saver,
  { count, seed, onRound }: { count: number; seed: number; onRound?: (round: ScanRound) => void },
): Promise<void> {
  const random = randomNumbers(seed);
  let settings: SecuritySettings = SECURITY_DEFAULTS;
  await saver.save({ security: settings });
  for (let index = 0; index < count; index += 1) {
    const began = Date.now();
    const step = await takeStep();
    const gaps = await compare(`${index}: ${step}`);
    onRound?.({ step, gaps, ms: Date.now() - began });
  }

  async function takeStep(): Promise<string> {
    const on = settings.spam || settings.virus;
    const dice = random();
    if (on && dice < 0.2) return kill(settings.virus && random() < 0.5 ? 'clamav' : 'amavis');
    if (on && dice < 0.4) return repair();
    const wanted: SecuritySettings = {
      ...settings,
      spam: random() < 0.6,
      virus: random() < 0.6,
      place: random() < 0.5 ? 'after' : 'before',
    };
    await saver.save({ security: wanted });
    settings = wanted;
    return `save ${wanted.spam ? 'spam ' : ''}${wanted.virus ? 'virus ' : ''}${wanted.place}`;
  }

  async function kill(part: keyof typeof KILLED): Promise<string> {
    const file = `${root.places.root}/run/mailserver-daemons/${KILLED[part]}.pid`;
    const [id] = (await readFile(file, 'utf8').catch(() => '')).split(' ');
    if (!id) return `${part} was down`;
    try {
      process.kill(-Number(id), 'SIGKILL');
    } catch {
      return `${part} was down`;
    }
    return `kill ${part}`;
  }

  async function repair(): Promise<string> {
    const params = { parts: [...PARTS] };
    const { proof } = await root.helper.call('security-repair', params, { actor: 'test' });
    assert.ok(proof.every(({ ok }) => ok));
    return 'put right';
  }

  /** The number of gaps that stop mail. */
  async function compare(step: string): Promise<number> {
    const status = await root.helper.call('security-status', {}, { actor: 'test' });
    assert.deepEqual(status.settings, settings, step);
    const broken = findGaps(status, new Date()).filter(({ severity }) => severity === 'bad');
    const on = settings.spam || settings.virus;
    const ports = await portsOf(root.places);
    const questions = { ...settings, before: settings.place === 'before' };
    const expected = scanExpectationOf({ port: (name) => ports[name] }, questions);
    const proof = on ? await proveScan(expected) : [];
    const works = proof.every(({ ok }) => ok);
    assert.equal(broken.length === 0, works, `${step}: ${JSON.stringify({ broken, proof })}`);
    const subject = `round-${step.replace(/\W+/g, '-')}-${Date.now()}`;
    const mail = { from: 'x@client.example', to: 'alice@lab.test', subject };
    const taken = (await sendMail(root.smtpPort, mail)).data?.code ?? 0;
    if (works) {
      assert.equal(taken, 250, step);
      await until(subject, async () =>
        (await readMbox(`${root.places.mailboxes}/alice`)).some((one) => one.includes(subject)),
      );
    } else {
      assert.ok(taken === 250 || (taken >= 400 && taken < 500), `${step}: ${taken}`);
    }
    return broken.length;
  }
}
