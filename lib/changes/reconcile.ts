/** After a crash, a restore or a move: which side is ahead? Says the record beside the helper's files, not a clock. */
import type { AppliedRecord } from '../privileged/protocol.js';
import type { Divergence } from './change.js';

export interface Facts {
  readonly databaseId: string;
  /** Number of the change in flight. */
  readonly applying: number | null;
  /** Highest number of any change in the database; 0 for none. */
  readonly highest: number;
  /** Highest number of an applied change; 0 for none. */
  readonly applied: number;
  /** The last change the helper finished. */
  readonly record: AppliedRecord | null;
}

export interface Verdict {
  /** What to do with the change in flight, if there is one. */
  readonly unfinished: 'settle by record' | 'apply again' | 'refuse';
  readonly divergence: Divergence['kind'] | null;
}

/** Never assumes that something was applied: what does not fit is refused, and somebody is asked to compare. */
export function compareWithRecord(facts: Facts): Verdict {
  const { databaseId, applying, highest, applied, record } = facts;
  // A database that never had a say cannot be contradicted: its pages show what the machine has.
  const noted = (kind: Divergence['kind']) => (applied > 0 ? kind : null);
  if (record === null) return { unfinished: 'apply again', divergence: noted('missing') };
  if (record.databaseId !== databaseId) {
    return { unfinished: 'refuse', divergence: noted('foreign') };
  }
  if (record.change > highest) return { unfinished: 'refuse', divergence: 'ahead' };
  if (record.change === applying) return { unfinished: 'settle by record', divergence: null };
  if (applying !== null && record.change > applying) {
    return { unfinished: 'refuse', divergence: 'ahead' };
  }
  return { unfinished: 'apply again', divergence: record.change < applied ? 'behind' : null };
}
