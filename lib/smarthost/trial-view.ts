/** The answer of a test in words: the sentence first, then how the connection was, then what was said, folded. */
import type { Translator } from '../i18n.js';
import { classify } from '../queue/classify.js';
import type { Addresses, ConnectionResult, MessageResult, TrialAnswer } from './service.js';

export interface AnswerView {
  readonly kind: 'ok' | 'warn' | 'bad' | 'info';
  readonly title: string;
  /** What it means and what to do. */
  readonly text: string;
  readonly points: readonly string[];
  readonly dialogue: { readonly summary: string; readonly text: string } | null;
}

export function viewAnswer(t: Translator, answer: TrialAnswer): AnswerView {
  return answer.kind === 'connection'
    ? viewConnection(t, answer.result, answer.order)
    : viewMessage(t, answer.result, answer.order);
}

/** `wait` is no fault: the server wants it tried again, and Postfix will. */
function viewConnection(t: Translator, result: ConnectionResult, order: Addresses): AnswerView {
  const { cause, ok, server, detail } = result;
  const values = { server, ...order };
  const kind = cause === 'wait' || cause === 'noLoginOffered' ? 'warn' : ok ? 'ok' : 'bad';
  return {
    kind,
    title: t(`smarthost.verdict.${cause}.title`, values),
    text: t(`smarthost.verdict.${cause}.text`, values),
    points: [
      ...(server === '' ? [] : [t('smarthost.trial.server', { server })]),
      t(encryptionKey(result), { ...result.encryption }),
      ...(result.mechanism === null
        ? []
        : [t('smarthost.trial.mechanism', { mechanism: result.mechanism })]),
      ...(ok ? [t('smarthost.trial.addresses', values)] : []),
      ...(detail === '' ? [] : [t('smarthost.trial.detail', { detail })]),
    ],
    dialogue:
      result.dialogue.length === 0
        ? null
        : { summary: t('smarthost.trial.dialogue'), text: result.dialogue.join('\n') },
  };
}

function encryptionKey({ encryption }: ConnectionResult): string {
  return `smarthost.trial.encryption.${encryption?.trust ?? 'none'}`;
}

function viewMessage(t: Translator, result: MessageResult, order: Addresses): AnswerView {
  const state = result.followed ? result.state : 'notFollowed';
  const kinds: Readonly<Record<string, AnswerView['kind']>> = {
    sent: 'ok',
    bounced: 'bad',
    deferred: 'warn',
  };
  const values = { ...order, queueId: result.queueId, relay: result.relay };
  return {
    kind: kinds[state] ?? 'info',
    title: t(`smarthost.fate.${state}.title`, values),
    text: t(`smarthost.fate.${state}.text`, values),
    points: [
      ...reasonOf(t, state, result.reply),
      ...(result.relay === '' ? [] : [t('smarthost.trial.server', { server: result.relay })]),
      ...(result.queueId === '' ? [] : [t('smarthost.trial.queueId', values)]),
      ...(result.reply === '' ? [] : [t('smarthost.trial.detail', { detail: result.reply })]),
    ],
    dialogue: null,
  };
}

/** Why a message waits, and what to do, where the words of the other side are understood. */
function reasonOf(t: Translator, state: string, reply: string): readonly string[] {
  const cause = state === 'deferred' ? classify(reply) : 'unknown';
  if (cause === 'unknown' || cause === 'notTried') return [];
  const [title, todo] = [t(`queue.cause.${cause}.title`), t(`queue.cause.${cause}.todo`)];
  return [t('smarthost.fate.reason', { cause: title, todo })];
}
