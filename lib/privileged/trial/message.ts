/** Sends a real message through the real queue, and follows it until it is delivered, came back, or has to wait. */
import { randomUUID } from 'node:crypto';
import { HelperError } from '../../errors.js';
import type { HelperProgress } from '../../contract.js';
import { openMailLog } from '../mail-log.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { readConfig } from '../postfix/config-view.js';
import { fateOf, type Fate } from './fate.js';
import { followMail } from './follow.js';

/** How long the message is followed, in milliseconds. After that it is in the queue, where it is looked after. */
export const FOLLOW_LIMIT_MS = 90_000;
/** Longest line of base64, without its end (RFC 2045 6.8). */
const BASE64_LINE_CHARS = 76;

export interface MessageOrder {
  readonly sender: string;
  readonly recipient: string;
  readonly subject: string;
  readonly text: string;
}

/** Its fate, and how long that took. */
export interface MessageResult extends Fate {
  readonly milliseconds: number;
  /** False where no mail log can be read: then nobody knows more than that it was taken. */
  readonly followed: boolean;
}

export interface MessageContext {
  readonly paths: Paths;
  readonly signal: AbortSignal;
  progress(progress: HelperProgress): void;
}

/** Throws at stage `run` when Postfix does not take it. */
export async function sendTestMessage(
  order: MessageOrder,
  context: MessageContext,
): Promise<MessageResult> {
  const { paths, signal } = context;
  const view = await readConfig(paths.configDir, paths);
  const log = await openMailLog(view, paths);
  const messageId = `<${randomUUID()}@${order.sender.split('@').at(-1) ?? 'localhost'}>`;
  const started = performance.now();
  const args = ['-C', paths.configDir, '-f', order.sender, '--', order.recipient];
  const answer = await runNative('/usr/sbin/sendmail', args, { input: compose(order, messageId) });
  if (answer.code !== 0) throw refused(answer.stderr);
  const elapsed = () => Math.round(performance.now() - started);
  if (log === null) {
    return { ...fateOf([], messageId), milliseconds: elapsed(), followed: false };
  }
  let said = '';
  const fate = await followMail(log, messageId, {
    ...{ limitMs: FOLLOW_LIMIT_MS, signal },
    seen: (now) => {
      if (now.state !== said) context.progress({ done: 0, total: null, row: now });
      said = now.state;
    },
  });
  return { ...fate, milliseconds: elapsed(), followed: true };
}

/** Plain text in UTF-8 (RFC 2045, RFC 2047). What comes in holds no control character but line ends in the text. */
function compose({ sender, recipient, subject, text }: MessageOrder, messageId: string): string {
  return [
    `From: <${sender}>`,
    `To: <${recipient}>`,
    `Subject: ${encodedWords(subject)}`,
    `Message-ID: ${messageId}`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    '',
    ...inBase64(text),
    '',
  ].join('\n');
}

/** Lines of base64, without their ends. */
export function inBase64(text: string): readonly string[] {
  const body = Buffer.from(text, 'utf8').toString('base64');
  return body.match(new RegExp(`.{1,${BASE64_LINE_CHARS}}`, 'g')) ?? [];
}

/** Encoded words of at most 75 characters, never cut inside a character (RFC 2047 2). */
export function encodedWords(text: string): string {
  const words: string[] = [];
  let word = '';
  for (const character of text) {
    if (Buffer.byteLength(word + character) > 42) {
      words.push(word);
      word = '';
    }
    word += character;
  }
  return [...words, word]
    .map((one) => `=?UTF-8?B?${Buffer.from(one).toString('base64')}?=`)
    .join('\n ');
}

function refused(detail: string): HelperError {
  const key = 'helper.run.notTaken';
  return new HelperError({ stage: 'run', key, values: {}, detail, restored: true });
}
