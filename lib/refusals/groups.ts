/** Refusals of one sender and client for one cause, counted together: a spammer knocks a thousand times. */
import type { RefusalCause } from './causes.js';
import { readRefusal, type ReadRefusal } from './reading.js';
import type { FoundMessage } from '../trace/schema.js';

/** Recipients and wordings of one group that are kept. */
const KEPT = 20;

export interface RefusalGroup {
  readonly cause: RefusalCause;
  readonly client: ReadRefusal['client'];
  readonly sender: string | null;
  readonly recipients: readonly string[];
  readonly more: number;
  readonly said: readonly string[];
  readonly id: string;
  readonly count: number;
  /** Seconds since 1970. */
  readonly first: number;
  readonly last: number;
  readonly warning: boolean;
}

export interface GroupedRefusals {
  /** How many there are of each cause, the most first. */
  readonly causes: readonly { readonly cause: RefusalCause; readonly count: number }[];
  /** The latest first. */
  readonly groups: readonly RefusalGroup[];
  readonly count: number;
}

/** `found` comes with the newest first. */
export function groupRefusals(
  found: readonly FoundMessage[],
  only: RefusalCause | '',
): GroupedRefusals {
  const counts = new Map<RefusalCause, number>();
  const groups = new Map<string, RefusalGroup & { recipients: string[]; said: string[] }>();
  let count = 0;
  for (const { lines } of found) {
    const [line] = lines;
    const refusal = line === undefined ? null : readRefusal(line);
    if (refusal === null) continue;
    counts.set(refusal.cause, (counts.get(refusal.cause) ?? 0) + 1);
    if (only !== '' && refusal.cause !== only) continue;
    count += 1;
    const { cause, client, sender, warning } = refusal;
    const key = JSON.stringify([cause, client.address, sender, warning]);
    groups.set(key, joined(groups.get(key), refusal));
  }
  return {
    causes: [...counts]
      .map(([cause, number]) => ({ cause, count: number }))
      .sort((a, b) => b.count - a.count),
    groups: [...groups.values()],
    count,
  };
}

function joined(
  group: (RefusalGroup & { recipients: string[]; said: string[] }) | undefined,
  { at, cause, client, id, recipients, said, sender, warning }: ReadRefusal,
): RefusalGroup & { recipients: string[]; said: string[] } {
  const before = group ?? {
    ...{ cause, client, sender, warning, id, recipients: [], more: 0, said: [] },
    ...{ count: 0, first: at, last: at },
  };
  let { more } = before;
  for (const recipient of recipients) {
    if (before.recipients.includes(recipient)) continue;
    if (before.recipients.length < KEPT) before.recipients.push(recipient);
    else more += 1;
  }
  if (!before.said.includes(said) && before.said.length < KEPT) before.said.push(said);
  return { ...before, more, count: before.count + 1, first: at };
}
