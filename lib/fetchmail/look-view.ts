/** What a look at waiting mail found, in words: which header names the recipient there, and who would get what. */
import { decodeWords } from 'postal-mime';
import type { Looked, LookedMessage } from '../fetcher/look.js';
import type { Translator } from '../i18n.js';
import type { LookAbout } from './runs.js';

export interface LookView {
  readonly kind: 'ok' | 'warn' | 'info';
  readonly title: string;
  /** What to do about the header. */
  readonly text: string;
  readonly headers: readonly {
    readonly name: string;
    readonly seen: string;
    readonly example: string;
  }[];
  readonly messages: readonly {
    readonly from: string;
    readonly subject: string;
    readonly to: string;
  }[];
  /** What holds for some of the rows; '' for nothing. */
  readonly note: string;
}

export function viewLook(t: Translator, { messages, headers }: Looked, about: LookAbout): LookView {
  const count = messages.length;
  const title = t('fetchmail.look.title', { count });
  const advice = adviceFor(t, { messages, headers }, about);
  const asked = messages.every(({ recipients }) =>
    recipients.every(({ fate }) => fate !== 'unknown'),
  );
  return {
    ...(count === 0 ? { kind: 'info', text: t('fetchmail.look.nothing') } : advice),
    title,
    headers: headers.map(({ name, messages: seen, example }) => ({
      ...{ name, example },
      seen: t('fetchmail.look.seen', { seen, count }),
    })),
    messages: messages.map((message) => ({
      from: safe(message.from),
      subject: safe(message.subject),
      to: recipientsText(t, message, about),
    })),
    note: asked ? '' : t('fetchmail.look.unasked'),
  };
}

function adviceFor(
  t: Translator,
  { messages, headers }: Looked,
  { envelope, envelopePrefix }: LookAbout,
): Pick<LookView, 'kind' | 'text'> {
  const count = messages.length;
  const [best] = headers;
  const used = headers.find(({ name }) => name.toLowerCase() === envelope.toLowerCase());
  if (best === undefined) {
    const text = t(envelope === '' ? 'fetchmail.look.noHeader' : 'fetchmail.look.notThere', {
      envelope,
    });
    return { kind: 'warn', text };
  }
  const { name, prefix, messages: seen } = used ?? best;
  const values = { name, prefix, seen, count, envelope };
  if (used === undefined) {
    const key = envelope !== '' ? 'takeInstead' : prefix === '' ? 'take' : 'takePrefix';
    return { kind: 'warn', text: t(`fetchmail.look.${key}`, values) };
  }
  if (prefix !== envelopePrefix && prefix !== '') {
    return { kind: 'warn', text: t('fetchmail.look.prefix', values) };
  }
  return seen === count
    ? { kind: 'ok', text: t('fetchmail.look.good', values) }
    : { kind: 'warn', text: t('fetchmail.look.some', values) };
}

function recipientsText(
  t: Translator,
  { recipients }: LookedMessage,
  { users }: LookAbout,
): string {
  const others = users.length === 0 ? t('fetchmail.look.postmaster') : users.join(', ');
  if (recipients.length === 0) return t('fetchmail.look.nobody', { others });
  return recipients
    .map(({ address, fate }) =>
      fate === 'others' ? t('fetchmail.look.others', { address, others }) : address,
    )
    .join(', ');
}

/** A line of a header as people read it (RFC 2047). */
function safe(text: string): string {
  let read = text;
  try {
    read = decodeWords(text);
  } catch {
    // As it came.
  }
  return read.replace(/\p{Cc}/gu, ' ');
}
