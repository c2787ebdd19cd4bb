/** What is known of a message, after the log has told something. Pure. */
import type { Known } from './recipient-store.js';
import type { FollowEvent } from './schema.js';

/** Nothing of it was certain before. */
const NOT_SENT_YET: readonly string[] = ['waiting', 'sending', 'checking', 'doubtful', 'unsent'];

/**
 * A message has one queue id at a time: a content filter that gives it back, or somebody who queues it anew, gives it
 * another one, and what is then said of the old id is no longer about the message.
 */
export function fold(known: Known, [, kind, queueId, reply]: FollowEvent): Known {
  const own = queueId === known.queueId;
  switch (kind) {
    case 'known':
      return { ...known, queueId };
    case 'queued':
      return NOT_SENT_YET.includes(known.state) ? { ...known, queueId, state: 'accepted' } : known;
    case 'sent':
      return own && known.state !== 'bounced' ? { ...taken(known), reply } : known;
    case 'deferred':
      return own && known.state !== 'bounced' ? { ...known, state: 'deferred', reply } : known;
    case 'bounced':
      return own
        ? { ...known, state: 'bounced', reply: reply === '' ? known.reply : reply }
        : known;
    case 'removed':
      return own && taken(known).state !== 'bounced' ? { ...known, state: 'delivered' } : known;
    case 'deleted':
      return own && known.state !== 'bounced' ? { ...known, state: 'deleted' } : known;
  }
}

function taken(known: Known): Known {
  return NOT_SENT_YET.includes(known.state) ? { ...known, state: 'accepted' } : known;
}
