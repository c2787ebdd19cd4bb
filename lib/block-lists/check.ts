/** Whether a block list can be believed: it knows the entry every list has, and does not know the one no list has (RFC 5782). */
import type { Answer, Lookup } from './lookup.js';
import { ALWAYS_LISTED, NEVER_LISTED } from './names.js';

/**
 * `listsAll`: it lists everybody, and would refuse everybody. `listsNone`: it lists nobody any more. `refused`: it does not
 * answer our resolver. `silent`: it does not answer at all. None of these is used.
 */
export type ListState = 'good' | 'listsAll' | 'listsNone' | 'refused' | 'silent';

export interface Verdict {
  readonly state: ListState;
  /** Whether it has IPv6 addresses too; only then they are asked for. */
  readonly ipv6: boolean;
}

export async function checkList(lookup: Lookup, zone: string): Promise<Verdict> {
  const ask = (address: string) => lookup.askAnew(address, zone);
  const [always, never, always6, never6] = await Promise.all([
    ask(ALWAYS_LISTED[4]),
    ask(NEVER_LISTED[4]),
    ask(ALWAYS_LISTED[6]),
    ask(NEVER_LISTED[6]),
  ]);
  const state = stateOf(always, never);
  return { state, ipv6: state === 'good' && always6 === 'listed' && never6 === 'notListed' };
}

function stateOf(always: Answer, never: Answer): ListState {
  if (always === 'silent' || never === 'silent') return 'silent';
  if (always === 'refused' || never === 'refused') return 'refused';
  if (never !== 'notListed' || always === 'foreign') return 'listsAll';
  return always === 'listed' ? 'good' : 'listsNone';
}
