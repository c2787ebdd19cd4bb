/** A line of the log as a refusal: who was turned away, by which check, in which words. */
import { eventOf, type Client, type MailEvent } from '../trace/events.js';
import type { LogLine } from '../trace/schema.js';
import { isKeptByFilter } from '../trace/story.js';
import { refusalCause, type RefusalCause } from './causes.js';

export interface ReadRefusal {
  /** Seconds since 1970. */
  readonly at: number;
  readonly cause: RefusalCause;
  readonly client: Client;
  /** Null when the log does not tell; '' is the null sender. */
  readonly sender: string | null;
  readonly recipients: readonly string[];
  /** In the words of whoever refused. */
  readonly said: string;
  /** The queue id, for what was stopped later than at the door; '' otherwise. */
  readonly id: string;
  /** It was only noted: the mail went on. */
  readonly warning: boolean;
}

const NOBODY: Client = { name: '', address: '' };
const LOGIN = /^warning: (\S*?)\[([^\]]*)\](?::\d+)?: (SASL \S+ authentication failed.*)$/;
const LIMIT = /^warning: ((?:\S+ )*(?:rate|count) limit exceeded: .*) from (\S*?)\[([^\]]*)\]/i;
const PREGREET = /^(PREGREET \d+ after [\d.]+) from (\S*?)\[([^\]]*)\]/;

/** Null for a line that refuses nothing after all. */
export function readRefusal(line: LogLine): ReadRefusal | null {
  const event = eventOf(line);
  const base = { at: line.at, id: event.id, warning: false };
  if (event.kind === 'refused') {
    const { refusal } = event;
    return {
      ...base,
      cause: refusalCause(refusal),
      client: refusal.client,
      sender: refusal.sender,
      recipients: refusal.recipient === null ? [] : [refusal.recipient],
      said: refusal.reply,
      warning: refusal.warning,
    };
  }
  if (event.kind === 'scanned') {
    return event.verdict.passed ? null : { ...base, ...stopped(event, line.text) };
  }
  if (event.kind === 'delivery') {
    if (!isKeptByFilter(event)) return null;
    const { recipient, reply } = event;
    const cause = refusalCause({ reply, by: 'filter', stage: '' });
    return {
      ...base,
      cause,
      ...{ client: NOBODY, sender: null, recipients: [recipient], said: reply },
    };
  }
  const other = otherRefusal(line.text);
  return other === null ? null : { ...base, sender: null, recipients: [], ...other };
}

function stopped(
  { verdict }: Extract<MailEvent, { kind: 'scanned' }>,
  text: string,
): Pick<ReadRefusal, 'cause' | 'client' | 'sender' | 'recipients' | 'said'> {
  const { category, what, sender, recipients } = verdict;
  const causes: Readonly<Record<string, RefusalCause>> = {
    INFECTED: 'virus',
    BANNED: 'banned',
    SPAM: 'spam',
    SPAMMY: 'spam',
  };
  // The first address is the server that handed the mail in, as far as the filter was told.
  const address = /\}, (?:\S+ )?\[([^\]]*)\]/.exec(text)?.[1] ?? '';
  return {
    cause: causes[category] ?? 'other',
    client: { name: '', address: address.replace(/^IPv6:/, '') },
    ...{ sender, recipients, said: what === '' ? category : `${category} (${what})` },
  };
}

function otherRefusal(text: string): Pick<ReadRefusal, 'cause' | 'client' | 'said'> | null {
  for (const [cause, pattern] of [
    ['login', LOGIN],
    ['rate', LIMIT],
    ['screen', PREGREET],
  ] as const) {
    const match = pattern.exec(text);
    if (!match) continue;
    const [said = '', name = '', address = ''] =
      cause === 'login' ? [match[3], match[1], match[2]] : match.slice(1);
    return { cause, client: { name: name === 'unknown' ? '' : name, address }, said };
  }
  return null;
}
