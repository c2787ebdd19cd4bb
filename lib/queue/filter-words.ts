/** A filter of the queue as a sentence. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import { isUnfiltered, type QueueFilter } from './query.js';
import { safeLine } from './safe-text.js';

export function filterWords(t: Translator, format: Formats, filter: QueueFilter): string {
  if (isUnfiltered(filter)) return t('queue.filter.all');
  const { q, sender, recipient, queue, reason, olderThan } = filter;
  const parts: string[] = [];
  if (reason !== '')
    parts.push(t('queue.filter.reason', { reason: t(`queue.cause.${reason}.title`) }));
  if (recipient !== '') parts.push(t('queue.filter.recipient', { recipient: safeLine(recipient) }));
  if (sender !== '') parts.push(t('queue.filter.sender', { sender: safeLine(sender) }));
  if (q !== '') parts.push(t('queue.filter.q', { text: safeLine(q) }));
  if (queue !== '') parts.push(t('queue.filter.queue', { queue: t(`queue.in.${queue}`) }));
  if (olderThan > 0) {
    parts.push(t('queue.filter.olderThan', { age: format.duration(olderThan * 1000) }));
  }
  return t('queue.filter.some', { parts: format.list(parts) });
}
