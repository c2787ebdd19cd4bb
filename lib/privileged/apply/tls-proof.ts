/** Proof that encryption and login do what was set: asked of the real ports, as somebody from outside would. */
import { randomBytes, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { TLSSocket } from 'node:tls';
import { tlsSection } from '../../tls/section.js';
import { certificateFolder } from '../certificates.js';
import type { Paths } from '../paths.js';
import type { ConfigView } from '../postfix/config-view.js';
import { publicListener, reachable, tcpListeners } from '../postfix/listeners.js';
import { masterOption } from '../postfix/master.js';
import type { ProofStep } from '../protocol.js';
import { SmtpDialogue, type SmtpReply } from '../smtp-dialogue.js';
import type { Plan } from './plan.js';
import { OUTSIDE_RECIPIENT } from './strangers.js';

/** How long one answer may take. PAM takes its time to refuse a password. */
const REPLY_TIMEOUT_MS = 15_000;
/** Nobody has this name, so nobody's account is locked by the question. */
const NOBODY = 'mailserver-probe';

interface Address {
  readonly host: string;
  readonly port: number;
}

interface SubmissionPort extends Address {
  readonly wrapped: boolean;
}

export interface TlsExpectation {
  /** File of the certificate that must be shown; null when none of ours was chosen, or nobody asks. */
  readonly certificate: string | null;
  /** Where mail from other servers comes in; null when no encryption is offered there. */
  readonly incoming: Address | null;
  /** Ports for people who log in. */
  readonly submission: readonly SubmissionPort[];
  /** Whether a wrong password is tried there: the answer shows that somebody checks passwords. */
  readonly login: boolean;
}

/** Whether a change touches encryption or login, so that both have to be looked at closely. */
export function isAboutTls({ touched }: Plan): boolean {
  return touched.some(({ section }) => section.id === tlsSection.id);
}

/**
 * What the configuration promises. Submission services that somebody made by hand are theirs to look after. Which
 * certificate is shown is asked only of fresh processes: one that was renewed on disk is not in use at once everywhere.
 */
export function tlsExpectationOf(
  view: ConfigView,
  paths: Paths,
  thorough: boolean,
): TlsExpectation {
  const file = view.parameter('smtpd_tls_cert_file');
  const chosen = thorough && file.startsWith(`${certificateFolder(paths)}/`);
  const at = publicListener(view.master);
  const offered = ['may', 'encrypt'].includes(view.parameter('smtpd_tls_security_level'));
  return {
    certificate: chosen ? file : null,
    incoming: at && offered ? reachable(at, view) : null,
    submission: tcpListeners(view.master).flatMap((listener) => {
      const { entry } = listener;
      const ours =
        /^postfix\/submissions?$/.test(masterOption(entry.line, 'syslog_name') ?? '') &&
        masterOption(entry.line, 'smtpd_sasl_type') !== null;
      const wrapped = masterOption(entry.line, 'smtpd_tls_wrappermode') === 'yes';
      return ours ? [{ ...reachable(listener, view), wrapped }] : [];
    }),
    login: thorough,
  };
}

/** One round. Never throws: what does not answer is a step that does not hold. */
export async function proveTls(expected: TlsExpectation): Promise<ProofStep[]> {
  const { certificate, incoming, submission } = expected;
  const steps = await Promise.all([
    ...(certificate !== null && incoming ? [askIncoming(certificate, incoming)] : []),
    ...submission.map((port) => askSubmission(port, expected)),
  ]);
  return steps.flat();
}

async function askIncoming(file: string, at: Address): Promise<ProofStep[]> {
  return inDialogue('proof.tls', at, false, async (dialogue) => {
    await dialogue.say('EHLO localhost');
    const secure = await startTls(dialogue);
    return [{ key: 'proof.tls', ok: secure !== null && (await isShown(file, secure)) }];
  });
}

/**
 * Login is offered once it is encrypted and not before, a wrong password is refused by somebody who knows, and nobody
 * sends without a login, not even from this machine.
 */
async function askSubmission(
  at: SubmissionPort,
  { certificate, login }: TlsExpectation,
): Promise<ProofStep[]> {
  return inDialogue('proof.submission', at, at.wrapped, async (dialogue, wrapped) => {
    const early = at.wrapped ? null : await dialogue.say('EHLO localhost');
    const secure = wrapped ?? (await startTls(dialogue));
    const late = await dialogue.say('EHLO localhost');
    await dialogue.say('MAIL FROM:<>');
    const refused = await dialogue.say(`RCPT TO:<${OUTSIDE_RECIPIENT}>`);
    const ok = secure !== null && !offersLogin(early) && offersLogin(late) && refused.code >= 500;
    const steps = [{ key: 'proof.submission', ok }];
    if (certificate !== null && secure !== null) {
      steps.push({ key: 'proof.tls', ok: await isShown(certificate, secure) });
    }
    if (login && ok) {
      await dialogue.say('RSET');
      steps.push({ key: 'proof.login', ok: await isRefusedKnowingly(dialogue) });
    }
    return steps;
  });
}

async function inDialogue(
  key: string,
  { host, port }: Address,
  wrapped: boolean,
  ask: (
    dialogue: SmtpDialogue,
    secure: TLSSocket | null,
  ) => Promise<readonly { key: string; ok: boolean }[]>,
): Promise<ProofStep[]> {
  const values = { port };
  let dialogue: SmtpDialogue | null = null;
  try {
    const at = { host, port };
    const opened = wrapped
      ? await SmtpDialogue.openEncrypted(at, REPLY_TIMEOUT_MS)
      : { ...(await SmtpDialogue.open(at, REPLY_TIMEOUT_MS)), secure: null };
    dialogue = opened.dialogue;
    const steps = await ask(dialogue, opened.secure);
    const detail = dialogue.transcript.join('\n');
    return steps.map((step) => ({ ...step, values, detail }));
  } catch (error) {
    const detail = [...(dialogue?.transcript ?? []), String(error)].join('\n');
    return [{ key, values, ok: false, detail }];
  } finally {
    await dialogue?.close();
  }
}

/** Null when the server does not offer it. */
async function startTls(dialogue: SmtpDialogue): Promise<TLSSocket | null> {
  const answer = await dialogue.say('STARTTLS');
  return answer.code === 220 ? dialogue.encrypt() : null;
}

async function isShown(file: string, secure: TLSSocket): Promise<boolean> {
  // ACME clients keep links there, which only root can make.
  const wanted = new X509Certificate(await readFile(file)).fingerprint256;
  return secure.getPeerCertificate().fingerprint256 === wanted;
}

function offersLogin(hello: SmtpReply | null): boolean {
  return hello?.lines.some((line) => /^250[ -]AUTH[ =]/i.test(line)) ?? false;
}

/** 535 with a reason is what whoever knows the passwords says; Cyrus SASL says 535 too when it reaches nobody. */
async function isRefusedKnowingly(dialogue: SmtpDialogue): Promise<boolean> {
  const response = `\0${NOBODY}\0${randomBytes(12).toString('hex')}`;
  const answer = await dialogue.say(`AUTH PLAIN ${Buffer.from(response).toString('base64')}`);
  return answer.code === 535 && !/generic failure|no mechanism/i.test(answer.lines.join(' '));
}
