/** One hop of a mail as a sentence. Everything out of the log is made safe to look at. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import { classify } from '../queue/classify.js';
import { safeLine } from '../queue/safe-text.js';
import { refusalCause } from '../refusals/causes.js';
import type { Client, MailEvent } from './events.js';
import { isKeptByFilter, type Hop } from './story.js';

/** Longest word out of the log within a sentence, in characters. */
const MAX_WORD = 120;
/** What amavis calls its verdicts, and the words we have for them. */
const CATEGORIES: ReadonlySet<string> = new Set(['clean', 'infected', 'spam', 'spammy', 'banned']);

export interface HopWords {
  readonly text: string;
  /** What the other side said; '' where that says nothing more. */
  readonly said: string;
  readonly kind: 'ok' | 'warn' | 'bad' | 'info' | 'off';
  /** Another mail that the sentence names; '' for none. */
  readonly id: string;
}

export interface WordParts {
  readonly t: Translator;
  readonly format: Formats;
}

/** `ids` are those of the mail itself. */
export function hopWords(parts: WordParts, hop: Hop, ids: readonly string[]): HopWords {
  const { t, format } = parts;
  const { event } = hop;
  const say = (
    key: string,
    values: Record<string, string | number> = {},
    kind: HopWords['kind'] = 'info',
    said = '',
  ): HopWords => ({ text: t(key, values), said: safeLine(said), kind, id: '' });
  switch (event.kind) {
    case 'received':
      return received(parts, event);
    case 'submitted':
      return event.before === ''
        ? say('trace.hop.submitted', { uid: event.uid })
        : say('trace.hop.again', { id: event.before });
    case 'queued':
      return say('trace.hop.queued', {
        id: event.id,
        size: format.bytes(event.size),
        count: event.recipients,
      });
    case 'delivery':
      return delivered(parts, hop, event);
    case 'expired':
      return say(event.forced ? 'trace.hop.expiredByHand' : 'trace.hop.expired', {}, 'bad');
    case 'notice': {
      const own = ids.includes(event.id);
      const key = own ? `trace.hop.notice.${event.about}` : 'trace.hop.noticeOf';
      const id = own ? event.next : event.id;
      return { ...say(key, { id }), id };
    }
    case 'refused': {
      const { refusal } = event;
      const values = {
        client: clientWords(t, refusal.client),
        reason: t(`refusals.cause.${refusalCause(refusal)}.title`),
        recipient: word(refusal.recipient ?? ''),
      };
      if (refusal.warning) return say('trace.hop.warned', values, 'warn', refusal.reply);
      const key = refusal.recipient === null ? 'trace.hop.refused' : 'trace.hop.refusedFor';
      return say(key, values, 'bad', refusal.reply);
    }
    case 'noted':
      return say(
        `trace.hop.noted.${event.action}`,
        {},
        event.action === 'warn' ? 'info' : 'warn',
        event.text,
      );
    case 'scanned':
      return scanned(parts, event);
    case 'held':
    case 'released':
    case 'requeued':
    case 'deleted':
      return say(`trace.hop.${event.kind}`, {}, event.kind === 'deleted' ? 'bad' : 'warn');
    case 'messageId':
    case 'removed':
    case 'other':
      return say('trace.hop.other');
  }
}

export function clientWords(t: Translator, { name, address }: Client): string {
  if (address === '' && name === '') return t('trace.client.none');
  const shown = name === '' ? `[${word(address)}]` : `${word(name)} [${word(address)}]`;
  return isLoopback(address) ? t('trace.client.here') : shown;
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

function received(
  { t }: WordParts,
  { client, login, service, before }: Extract<MailEvent, { kind: 'received' }>,
): HopWords {
  const values = { client: clientWords(t, client), login: word(login) };
  const key =
    before !== ''
      ? 'filtered'
      : service === 'fetchmail'
        ? 'fetched'
        : login !== ''
          ? 'login'
          : service.startsWith('submission') || service === 'smtps'
            ? 'program'
            : 'client';
  return { text: t(`trace.hop.received.${key}`, values), said: '', kind: 'info', id: '' };
}

function delivered(
  { t, format }: WordParts,
  { times, last }: Hop,
  event: Extract<MailEvent, { kind: 'delivery' }>,
): HopWords {
  const { status, recipient, original, relay, agent, reply, next } = event;
  const values = { recipient: word(recipient), relay: word(relay), next };
  const to = original === '' ? '' : ` ${t('trace.hop.original', { original: word(original) })}`;
  const say = (key: string, kind: HopWords['kind'], said = '', more = {}): HopWords => ({
    text: t(`trace.hop.${key}`, { ...values, ...more }) + to,
    ...{ said: safeLine(said), kind, id: '' },
  });
  const reason = t(`queue.cause.${classify(reply)}.title`);
  switch (status) {
    case 'deferred':
      return times > 1
        ? say('deferredOften', 'warn', reply, {
            reason,
            count: times,
            last: format.moment(new Date(last * 1000)),
          })
        : say('deferred', 'warn', reply, { reason });
    case 'bounced':
      return say('bounced', 'bad', reply, { reason });
    case 'expired':
      return say('gaveUp', 'bad', reply, { reason });
    case 'checked':
      return say('checked', 'info', reply);
    case 'sent':
      if (next !== '') return say(agent === 'local' ? 'forwarded' : 'filtered', 'info');
      if (isKeptByFilter(event)) return say('kept', 'bad', reply);
      return say(`sent.${wayOf(agent, reply)}`, agent === 'discard' ? 'warn' : 'ok', reply);
  }
}

/** How the mail reached its end. */
function wayOf(agent: string, reply: string): string {
  if (agent === 'local' || agent === 'virtual') {
    if (/^delivered to command/.test(reply)) return 'command';
    return /^delivered to file/.test(reply) ? 'file' : 'mailbox';
  }
  if (agent === 'lmtp') return 'lmtp';
  if (agent === 'pipe') return 'command';
  return agent === 'discard' ? 'discard' : 'smtp';
}

function scanned({ t }: WordParts, { verdict }: Extract<MailEvent, { kind: 'scanned' }>): HopWords {
  const category = verdict.category.toLowerCase();
  const known = CATEGORIES.has(category) ? category : 'other';
  const kind = !verdict.passed ? 'bad' : category === 'clean' ? 'ok' : 'warn';
  const text = t(`trace.hop.scanned.${verdict.passed ? 'passed' : 'blocked'}`, {
    verdict: t(`trace.verdict.${known}`),
  });
  return { text, said: safeLine(verdict.what), kind, id: '' };
}

function word(text: string): string {
  const safe = safeLine(text);
  return safe.length > MAX_WORD ? `${safe.slice(0, MAX_WORD)}…` : safe;
}
