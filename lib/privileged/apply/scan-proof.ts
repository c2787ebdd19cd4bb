/**
 * Proof that mail is scanned: amavis takes mail at every port, Postfix takes it back, and what the makers of scanners made
 * to be found is found. It is asked at a port of its own, at which nothing is ever delivered, kept or told to anybody.
 */
import type { SecuritySettings } from '../../security/schema.js';
import { securitySection } from '../../security/section.js';
import type { ConfigView } from '../postfix/config-view.js';
import type { ProofStep } from '../protocol.js';
import { SmtpDialogue, type SmtpReply } from '../smtp-dialogue.js';
import type { Plan } from './plan.js';

/** How long one answer may take, in milliseconds: amavis tries for some time to reach a scanner. */
const REPLY_TIMEOUT_MS = 30_000;
const LOOPBACK = '127.0.0.1';

/** What every virus scanner has to take for a virus (EICAR), in two parts, so that this file is none. */
export const TEST_VIRUS = `X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-${'ANTIVIRUS-TEST-FILE!$H+H*'}`;
/** What every spam filter of SpamAssassin's kind has to take for spam (GTUBE). */
export const TEST_SPAM = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';

/** Which scanners are to find something. */
export interface ScanQuestions {
  readonly spam: boolean;
  readonly virus: boolean;
  readonly before: boolean;
}

export interface ScanExpectation extends ScanQuestions {
  /** Where amavis must greet. */
  readonly amavis: readonly number[];
  /** Where Postfix must take mail back. */
  readonly back: readonly number[];
  readonly probe: number;
}

/** Null when a change does not concern the scanners, or leaves none on. */
export function scanQuestions({ touched, settings }: Plan): ScanQuestions | null {
  if (!touched.some(({ section }) => section.id === securitySection.id)) return null;
  const { spam, virus, place } = settings[securitySection.id] as SecuritySettings;
  return spam || virus ? { spam, virus, before: place === 'before' } : null;
}

export function scanExpectationOf(
  { port }: Pick<ConfigView, 'port'>,
  questions: ScanQuestions,
): ScanExpectation {
  return {
    ...questions,
    amavis: [
      port('amavisIn'),
      port('amavisFetched'),
      ...(questions.before ? [port('amavisProxy')] : []),
    ],
    back: [port('amavisBack'), ...(questions.before ? [port('amavisProxyBack')] : [])],
    probe: port('amavisProbe'),
  };
}

/** One round. Never throws: what does not answer is a step that does not hold. */
export async function proveScan(expected: ScanExpectation | null): Promise<ProofStep[]> {
  if (expected === null) return [];
  const { amavis, back, probe, spam, virus } = expected;
  return Promise.all([
    ...amavis.map((port) => askForMail('proof.amavis', port)),
    ...back.map((port) => askForMail('proof.back', port)),
    ...(spam ? [askProbe('proof.spam', probe, TEST_SPAM, isSpam)] : []),
    ...(virus ? [askProbe('proof.virus', probe, TEST_VIRUS, isInfected)] : []),
  ]);
}

function isSpam({ code, lines }: SmtpReply): boolean {
  return code === 554 && / - spam\b/i.test(lines.join(' '));
}

function isInfected({ code, lines }: SmtpReply): boolean {
  return code === 554 && /\bINFECTED\b/.test(lines.join(' '));
}

/** Whether mail would be taken there; none is sent. */
async function askForMail(key: string, port: number): Promise<ProofStep> {
  return inDialogue(key, port, takesMail);
}

async function takesMail(dialogue: SmtpDialogue): Promise<boolean> {
  for (const line of ['EHLO localhost', 'MAIL FROM:<>', 'RCPT TO:<postmaster@localhost>']) {
    if ((await dialogue.say(line)).code !== 250) return false;
  }
  return true;
}

/** Gives amavis a mail that holds `content`. */
export async function askProbe(
  key: string,
  port: number,
  content: string,
  found: (reply: SmtpReply) => boolean,
): Promise<ProofStep> {
  return inDialogue(key, port, async (dialogue) => {
    if (!(await takesMail(dialogue))) return false;
    if ((await dialogue.say('DATA')).code !== 354) return false;
    dialogue.push(['Subject: Test of the scanners', 'From: <postmaster@localhost>', '', content]);
    return found(await dialogue.say('.'));
  });
}

async function inDialogue(
  key: string,
  port: number,
  ask: (dialogue: SmtpDialogue) => Promise<boolean>,
): Promise<ProofStep> {
  const values = { port };
  let dialogue: SmtpDialogue | null = null;
  try {
    const opened = await SmtpDialogue.open({ host: LOOPBACK, port }, REPLY_TIMEOUT_MS);
    dialogue = opened.dialogue;
    const ok = await ask(dialogue);
    return { key, values, ok, detail: dialogue.transcript.join('\n') };
  } catch (error) {
    const detail = [...(dialogue?.transcript ?? []), String(error)].join('\n');
    return { key, values, ok: false, detail };
  } finally {
    await dialogue?.close();
  }
}
