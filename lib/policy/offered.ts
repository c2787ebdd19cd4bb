/** DNS block lists that are well known and asked for free by small servers; none of them is on before somebody says so. */
import type { BlockList } from './schema.js';

/** What somebody should know of a list before it is used, as the end of a translation key (`policy.list.note.<note>`). */
export type ListNote = 'ownResolver' | 'registration' | 'quick' | 'careful';

export interface OfferedList extends BlockList {
  readonly note: ListNote;
}

/** As their operators describe them; weights are ours: one list alone that is known for few mistakes is enough for the default. */
export const OFFERED_LISTS: readonly OfferedList[] = [
  { zone: 'zen.spamhaus.org', weight: 2, enabled: false, note: 'ownResolver' },
  { zone: 'b.barracudacentral.org', weight: 2, enabled: false, note: 'registration' },
  { zone: 'bl.spamcop.net', weight: 1, enabled: false, note: 'quick' },
  { zone: 'psbl.surriel.com', weight: 1, enabled: false, note: 'careful' },
];
