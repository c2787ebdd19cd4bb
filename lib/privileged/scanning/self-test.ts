/**
 * Sends what every scanner has to find along the way of real mail: to the port that strangers use, for a mailbox here, and
 * follows it until it was refused, kept back or delivered.
 */
import { randomUUID } from 'node:crypto';
import { staticDestinations } from '../../aliases/home-domain.js';
import type { HelperProgress } from '../../contract.js';
import { HelperError } from '../../errors.js';
import { kindOf } from '../../quarantine/schema.js';
import type { SecuritySettings } from '../../security/schema.js';
import { SELF_TESTS, type SelfTest } from '../../security/work.js';
import { firstLocalDomain } from '../apply/prove.js';
import { TEST_SPAM, TEST_VIRUS } from '../apply/scan-proof.js';
import { openMailLog, openScannerLog, type MailLog } from '../mail-log.js';
import type { Paths } from '../paths.js';
import { readConfig } from '../postfix/config-view.js';
import { publicListener, reachable, type Reachable } from '../postfix/listeners.js';
import { QuarantineFolder } from '../quarantine/folder.js';
import { traceRoute } from '../route/trace.js';
import { SmtpDialogue, type SmtpReply } from '../smtp-dialogue.js';
import { readState } from '../state.js';
import type { Fate } from '../trial/fate.js';
import { followMail, lookUntil } from '../trial/follow.js';
import { encodedWords, inBase64 } from '../trial/message.js';
import { verdictOf, type Verdict } from './verdict.js';

/** How long one answer of Postfix may take, in milliseconds: before the queue it waits for the scanners. */
const REPLY_TIMEOUT_MS = 180_000;
/** How long the mail is followed, in milliseconds. After that it is in the queue, where it is looked after. */
export const FOLLOW_LIMIT_MS = 120_000;
/** All of it. */
export const SELF_TEST_LIMIT_MS = REPLY_TIMEOUT_MS + FOLLOW_LIMIT_MS + 60_000;
/** How long what the filter says of a mail that was delivered may take to be in the log, in milliseconds. */
const VERDICT_LIMIT_MS = 20_000;
/** A domain that nobody has (RFC 6761), so that no exception holds for it. */
const FROM = 'scanner-test@mailserver.invalid';

/**
 * `refused`: while it was sent, by the scanner. `kept`: in the quarantine. `marked`: delivered, marked as spam. `passed`:
 * looked at and delivered as if nothing were wrong. `unchecked`: delivered without having been looked at. `delivered`:
 * nobody says how. `waiting`: in the queue. `notTaken`: refused or put off by something else. `lost`: taken, and not
 * deliverable.
 */
export type SelfTestOutcome =
  | 'refused'
  | 'kept'
  | 'marked'
  | 'passed'
  | 'unchecked'
  | 'delivered'
  | 'waiting'
  | 'notTaken'
  | 'lost';

export interface SelfTestOrder {
  readonly what: SelfTest;
  /** A mailbox here; '' for the one of whoever looks after mail. */
  readonly recipient: string;
  readonly subject: string;
  readonly text: string;
}

export interface SelfTestResult {
  readonly outcome: SelfTestOutcome;
  readonly recipient: string;
  /** The words of the server that decided. */
  readonly reply: string;
  /** '' while it has none. */
  readonly queueId: string;
  /** Its name in the quarantine; '' where it is not in it. */
  readonly keptAs: string;
  /** Points SpamAssassin gave; null where nobody says. */
  readonly score: number | null;
  readonly milliseconds: number;
}

interface Context {
  readonly paths: Paths;
  readonly signal: AbortSignal;
  /** Puts on record that a mail is sent. */
  readonly changing: () => Promise<void>;
  readonly progress: (progress: HelperProgress) => void;
}

/** Throws a `HelperError` at stage `run` when there is nothing to test, or nobody to send it to. */
export async function selfTest(order: SelfTestOrder, context: Context): Promise<SelfTestResult> {
  const { what } = order;
  const { paths, signal, progress } = context;
  const [view, state] = await Promise.all([readConfig(paths.configDir, paths), readState(paths)]);
  const settings = state.sections['security'] as SecuritySettings | undefined;
  if (!settings?.[what]) throw failed(`testOff.${what}`, {});
  const known = state.sections['domains'] as { readonly names: readonly string[] } | undefined;
  const domains = new Set([...(known?.names ?? []), ...staticDestinations(view)]);
  const home = known?.names[0] ?? firstLocalDomain(view) ?? 'localhost';
  const recipient = order.recipient === '' ? `postmaster@${home}` : order.recipient;
  if (!domains.has(domainOf(recipient))) throw failed('notHere', { recipient });
  // An alias, or somebody's .forward file, may lead to another server.
  const { ends } = await traceRoute(recipient, paths, true);
  const outside = ends.find(({ way }) => way === 'mx' || way === 'smarthost');
  if (outside) throw failed('notHere', { recipient: outside.address });
  const listener = publicListener(view.master);
  if (listener === null) throw failed('noListener', {});
  const [log, scannerLog] = await Promise.all([
    openMailLog(view, paths),
    openScannerLog(view, paths),
  ]);

  await context.changing();
  progress({ done: 0, total: 3, row: 'selfTestSend' });
  const began = performance.now();
  const messageId = `<${randomUUID()}@mailserver.invalid>`;
  const reply = await send(
    reachable(listener, view),
    recipient,
    compose({ ...order, recipient }, messageId),
  );
  const words = reply.lines.join(' ').trim();
  const result = (outcome: SelfTestOutcome, more: Partial<SelfTestResult> = {}) => ({
    ...{ outcome, recipient, reply: words, queueId: '', keptAs: '', score: null },
    milliseconds: Math.round(performance.now() - began),
    ...more,
  });
  if (reply.code !== 250) {
    const scanner = what === 'virus' ? /\bINFECTED\b/ : / - spam\b/i;
    return result(reply.code >= 500 && scanner.test(words) ? 'refused' : 'notTaken');
  }
  // Before the queue amavis answers, after it Postfix, which then hands it on.
  if (/\bdiscarded\b/.test(words))
    return result('kept', { keptAs: await keptAs(messageId, paths) });

  progress({ done: 1, total: 3, row: 'selfTestScan' });
  const fate = log === null ? null : await follow(log, messageId, { signal, progress });
  if (fate === null) return result('delivered');
  const told = { reply: fate.reply, queueId: fate.queueId };
  if (fate.state === 'bounced') return result('lost', told);
  if (fate.state !== 'sent') return result('waiting', told);
  if (/\bdiscarded\b/.test(fate.reply)) {
    return result('kept', { ...told, keptAs: await keptAs(messageId, paths) });
  }
  const verdict = scannerLog === null ? null : await judged(scannerLog, messageId);
  return result(outcomeOf(verdict), { ...told, score: verdict?.score ?? null });
}

function outcomeOf(verdict: Verdict | null): SelfTestOutcome {
  if (verdict === null) return 'delivered';
  if (verdict.category === 'UNCHECKED') return 'unchecked';
  return verdict.category === 'SPAM' || verdict.category === 'SPAMMY' ? 'marked' : 'passed';
}

/** Resolves with the answer to the mail, or with the first that was no yes. */
async function send(
  target: Reachable,
  recipient: string,
  lines: readonly string[],
): Promise<SmtpReply> {
  const { dialogue, banner } = await SmtpDialogue.open(target, REPLY_TIMEOUT_MS).catch(
    (error: unknown) => {
      throw failed('noAnswer', {}, String(error));
    },
  );
  try {
    if (banner.code !== 220) return banner;
    for (const line of ['EHLO localhost', 'MAIL FROM:<>', `RCPT TO:<${recipient}>`]) {
      const answer = await dialogue.say(line);
      if (answer.code !== 250) return answer;
    }
    const data = await dialogue.say('DATA');
    if (data.code !== 354) return data;
    dialogue.push(lines);
    return await dialogue.say('.');
  } finally {
    await dialogue.close();
  }
}

/** What became of it in the end, or when its time was over. */
function follow(
  log: MailLog,
  messageId: string,
  { signal, progress }: Pick<Context, 'signal' | 'progress'>,
): Promise<Fate> {
  let told = false;
  return followMail(log, messageId, {
    ...{ limitMs: FOLLOW_LIMIT_MS, signal },
    seen: (_fate, lines) => {
      if (told || lines.filter((line) => line.includes(`message-id=${messageId}`)).length < 2) {
        return;
      }
      progress({ done: 2, total: 3, row: 'selfTestDeliver' });
      told = true;
    },
  });
}

/** What the filter wrote of it; null when it wrote nothing in time. */
function judged(log: MailLog, messageId: string): Promise<Verdict | null> {
  return lookUntil(log, VERDICT_LIMIT_MS, (lines) => {
    const value = verdictOf(lines, messageId);
    return { value, enough: value !== null };
  });
}

/** Its name in the quarantine; '' when it is not there. */
async function keptAs(messageId: string, paths: Paths): Promise<string> {
  const folder = await QuarantineFolder.open(paths);
  if (folder === null) return '';
  try {
    for (const file of await folder.files()) {
      if (!SELF_TESTS.some((kind) => kind === kindOf(file.id))) continue;
      if ((await folder.row(file))?.messageId === messageId) return file.id;
    }
    return '';
  } finally {
    await folder.close();
  }
}

/** The test file as its makers want it: alone in an attachment, 68 bytes long. The line of the other one stands in the text. */
function compose(order: SelfTestOrder, messageId: string): readonly string[] {
  const { what, recipient, subject, text } = order;
  const boundary = `mailserver-${randomUUID()}`;
  const body = what === 'spam' ? `${text}\n${TEST_SPAM}\n` : text;
  return [
    `From: <${FROM}>`,
    `To: <${recipient}>`,
    ...`Subject: ${encodedWords(subject)}`.split('\n'),
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: ${messageId}`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    '',
    ...inBase64(body),
    ...(what === 'virus'
      ? [
          `--${boundary}`,
          'Content-Type: application/octet-stream',
          'Content-Disposition: attachment; filename="eicar.txt"',
          'Content-Transfer-Encoding: base64',
          '',
          ...inBase64(TEST_VIRUS),
        ]
      : []),
    `--${boundary}--`,
  ];
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}

function failed(key: string, values: Record<string, string>, detail = ''): HelperError {
  return new HelperError({
    stage: 'run',
    key: `helper.security.${key}`,
    values,
    detail,
    restored: true,
  });
}
