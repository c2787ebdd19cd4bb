/** What became of a message, from the lines of the mail log: followed through filters that hand it back under a new id. */

export type FateState = 'unknown' | 'queued' | 'deferred' | 'sent' | 'bounced';

export interface Fate {
  readonly state: FateState;
  /** The queue id it has now, or had last; '' while it is not known. */
  readonly queueId: string;
  /** Where it went, `relay=` of the log; '' while it went nowhere. */
  readonly relay: string;
  /** The words of the server, or of Postfix. */
  readonly reply: string;
}

const ID = '[0-9A-Za-z]+';
const FINAL: readonly FateState[] = ['sent', 'bounced'];

/** `messageId` with its angle brackets. */
export function fateOf(lines: readonly string[], messageId: string): Fate {
  const first = lines.flatMap(
    (line) => new RegExp(`cleanup\\[\\d+\\]: (${ID}): message-id=`).exec(line)?.[1] ?? [],
  );
  const owned = lines.findIndex((line) => line.includes(`message-id=${messageId}`));
  const id = owned < 0 ? undefined : idOf(lines[owned] ?? '');
  if (id === undefined) return { state: 'unknown', queueId: '', relay: '', reply: '' };
  return follow(lines, id, new Set(first));
}

function idOf(line: string): string | undefined {
  return new RegExp(`\\]: (${ID}): `).exec(line)?.[1];
}

function follow(lines: readonly string[], id: string, known: ReadonlySet<string>): Fate {
  const own = new RegExp(`\\]: ${id}: to=<.*, relay=(\\S+), .*status=(\\w+) \\((.*)\\)$`);
  const last = lines.flatMap((line) => own.exec(line) ?? []);
  if (last.length === 0) return { state: 'queued', queueId: id, relay: '', reply: '' };
  const [, relay = '', status = '', reply = ''] = last.slice(-4);
  const next = new RegExp(`queued as (${ID})`).exec(reply)?.[1];
  // A filter on this machine gave it back to us: the new id is one of our own.
  if (status === 'sent' && next !== undefined && next !== id && known.has(next)) {
    return follow(lines, next, known);
  }
  const state = status === 'deferred' || FINAL.some((one) => one === status) ? status : 'queued';
  return { state: state as FateState, queueId: id, relay: relay === 'none' ? '' : relay, reply };
}

/** Whether the message was tried to its end, or has to wait for its next turn, which may be hours away. */
export function isSettled({ state }: Fate): boolean {
  return FINAL.includes(state) || state === 'deferred';
}
