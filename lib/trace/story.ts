/** What became of one mail, told from its lines: the hops in order, and the fate of each recipient. Pure. */
import { eventOf, type MailEvent } from './events.js';
import type { FoundMessage } from './schema.js';

/** The end of one recipient's mail, as far as the log tells. */
export type FateState =
  | 'delivered'
  | 'waiting'
  | 'bounced'
  | 'expired'
  | 'refused'
  | 'filtered'
  | 'deleted'
  | 'discarded';

export interface Fate {
  readonly recipient: string;
  /** Before aliases; '' when it is the same. */
  readonly original: string;
  readonly state: FateState;
  readonly at: number;
}

/** What became of the whole mail. `moving`: no end yet; `broken`: the client went away before its end. */
export type Outcome =
  FateState | 'partly' | 'held' | 'moving' | 'broken' | 'requeued' | 'checked' | 'unclear';

export interface Hop {
  readonly event: MailEvent;
  /** How often the same happened, and when last. */
  readonly times: number;
  readonly last: number;
}

export interface Story {
  readonly ids: readonly string[];
  /** Seconds since 1970. */
  readonly at: number;
  /** Null when the log does not tell; '' is the null sender. */
  readonly sender: string | null;
  readonly messageId: string;
  /** Bytes; 0 when the log does not tell. */
  readonly size: number;
  readonly fates: readonly Fate[];
  readonly outcome: Outcome;
  readonly hops: readonly Hop[];
}

/** What says nothing to a reader that another line does not say better. */
const SILENT: ReadonlySet<MailEvent['kind']> = new Set(['messageId', 'removed', 'other']);

type Delivery = Extract<MailEvent, { kind: 'delivery' }>;

export function tellStory({ ids, lines }: Pick<FoundMessage, 'ids' | 'lines'>): Story {
  const events = lines.map(eventOf);
  const known = new Set(ids);
  const fates = fatesOf(events, known);
  const queued = events.find((event) => event.kind === 'queued');
  const submitted = events.find((event) => event.kind === 'submitted');
  const noted = events.find((event) => event.kind === 'noted');
  const refused = events.find((event) => event.kind === 'refused');
  const verdict = events.find((event) => event.kind === 'scanned');
  const named = events.find((event) => event.kind === 'messageId');
  return {
    ids,
    at: lines[0]?.at ?? 0,
    sender:
      queued?.sender ??
      refused?.refusal.sender ??
      verdict?.verdict.sender ??
      (noted === undefined ? undefined : / from=<(.*?)>/.exec(noted.text)?.[1]) ??
      submitted?.sender ??
      null,
    messageId: named?.messageId ?? '',
    size: queued?.size ?? 0,
    fates,
    outcome: outcomeOf(events, fates),
    hops: hopsOf(events),
  };
}

/** Whether a filter on this machine took the mail and kept it. */
export function isKeptByFilter({ relay, reply, next }: Delivery): boolean {
  return (
    next === '' &&
    /\[(?:127\.|::1)/.test(relay) &&
    /\b(?:discarded|infected|banned|quarantined?|bounce|ube)\b/i.test(reply)
  );
}

function fatesOf(events: readonly MailEvent[], known: ReadonlySet<string>): Fate[] {
  const fates = new Map<string, Fate>();
  const put = (recipient: string, original: string, state: FateState, at: number): void => {
    fates.set(recipient.toLowerCase(), { recipient, original, state, at });
  };
  const settle = (state: FateState, at: number): void => {
    for (const [key, fate] of fates) {
      if (fate.state === 'waiting') fates.set(key, { ...fate, state, at });
    }
  };
  for (const event of events) {
    const { at } = event;
    if (event.kind === 'delivery') {
      const state = stateOf(event);
      // It goes on under another id, whose lines tell the rest.
      if (state === null || (event.next !== '' && known.has(event.next))) continue;
      put(event.recipient, event.original, state, at);
    } else if (event.kind === 'refused' && !event.refusal.warning) {
      put(event.refusal.recipient ?? '', '', 'refused', at);
    } else if (event.kind === 'noted' && event.action === 'discard') {
      put(/ to=<(.*?)>/.exec(event.text)?.[1] ?? '', '', 'discarded', at);
    } else if (event.kind === 'expired') settle('expired', at);
    else if (event.kind === 'deleted') settle('deleted', at);
  }
  return [...fates.values()];
}

function stateOf(event: Delivery): FateState | null {
  switch (event.status) {
    case 'sent':
      if (event.agent === 'discard') return 'discarded';
      return isKeptByFilter(event) ? 'filtered' : 'delivered';
    case 'deferred':
      return 'waiting';
    case 'bounced':
    case 'expired':
      return event.status;
    case 'checked':
      return null;
  }
}

function outcomeOf(events: readonly MailEvent[], fates: readonly Fate[]): Outcome {
  const has = (kind: MailEvent['kind']): boolean => events.some((event) => event.kind === kind);
  const last = (kind: MailEvent['kind']): number =>
    events.findLastIndex((event) => event.kind === kind);
  const states = [...new Set(fates.map(({ state }) => state))];
  const [first] = states;
  if (last('deleted') > last('queued') && !states.includes('delivered')) return 'deleted';
  const held = Math.max(
    last('held'),
    events.findLastIndex((event) => event.kind === 'noted' && event.action === 'hold'),
  );
  const moved = Math.max(last('released'), last('removed'), last('delivery'));
  if (held >= 0 && held > moved) return 'held';
  if (first !== undefined && states.length === 1) {
    // Some of its recipients are still on their way.
    return first === 'delivered' && recipientsOf(events) > fates.length && !has('removed')
      ? 'moving'
      : first;
  }
  if (states.length > 1) return states.includes('waiting') ? 'waiting' : 'partly';
  if (events.some((event) => event.kind === 'delivery')) return 'checked';
  if (last('requeued') >= 0 && !has('submitted')) return 'requeued';
  const verdict = events.findLast((event) => event.kind === 'scanned');
  if (verdict !== undefined && !verdict.verdict.passed) return 'filtered';
  if (has('queued')) return has('removed') ? 'unclear' : 'moving';
  return has('messageId') ? 'moving' : has('received') ? 'broken' : 'unclear';
}

/** How many recipients the newest id of the mail has. */
function recipientsOf(events: readonly MailEvent[]): number {
  return events.findLast((event) => event.kind === 'queued')?.recipients ?? 0;
}

/** What repeats itself, such as a try that fails in the same words, is one hop. */
function hopsOf(events: readonly MailEvent[]): Hop[] {
  const hops: { event: MailEvent; times: number; last: number }[] = [];
  const seen = new Map<string, { event: MailEvent; times: number; last: number }>();
  for (const event of events) {
    if (SILENT.has(event.kind)) continue;
    const key = sameness(event);
    const before = key === '' ? undefined : seen.get(key);
    if (before !== undefined) {
      before.times += 1;
      before.last = event.at;
      continue;
    }
    const hop = { event, times: 1, last: event.at };
    hops.push(hop);
    if (key !== '') seen.set(key, hop);
  }
  return hops;
}

/** '' for what is told each time. */
function sameness(event: MailEvent): string {
  if (event.kind === 'queued') return `queued ${event.id}`;
  if (event.kind === 'delivery' && event.status === 'deferred') {
    return `deferred ${event.id} ${event.recipient} ${event.reply}`;
  }
  if (event.kind !== 'refused') return '';
  return `refused ${event.refusal.recipient ?? ''} ${event.refusal.reply}`;
}
