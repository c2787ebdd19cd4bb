/** Hand edits, and what somebody decided about each. */
import { HelperError } from '../../errors.js';
import type { DriftEntry, EditDecisions } from '../protocol.js';

/** By name. */
export interface Decided {
  readonly overwrite: ReadonlySet<string>;
  readonly take: ReadonlySet<string>;
  readonly leave: ReadonlySet<string>;
}

export const NOTHING_DECIDED: Decided = {
  overwrite: new Set(),
  take: new Set(),
  leave: new Set(),
};

const DECISIONS = ['overwrite', 'take', 'leave'] as const;

/** Throws at stage `drift` when an edit was not decided about as it is now. */
export function decidedAbout(drift: readonly DriftEntry[], decisions: EditDecisions): Decided {
  const open = drift.filter(
    ({ name, digest }) => !DECISIONS.some((one) => decisions[one]?.[name] === digest),
  );
  if (open.length > 0) throw undecided(open);
  const names = (decision: (typeof DECISIONS)[number]) =>
    new Set(
      drift
        .filter(({ name, digest }) => decisions[decision]?.[name] === digest)
        .map(({ name }) => name),
    );
  return { overwrite: names('overwrite'), take: names('take'), leave: names('leave') };
}

/** Somebody edited these, and this change would write over them. */
export function undecided(
  edits: readonly Pick<DriftEntry, 'name' | 'ours' | 'theirs'>[],
): HelperError {
  return new HelperError({
    stage: 'drift',
    key: 'helper.drift.edited',
    values: { count: edits.length, names: edits.map(({ name }) => name).join(', ') },
    detail: edits
      .map(({ name, ours, theirs }) => `${name}\n- ${ours ?? ''}\n+ ${theirs ?? ''}`)
      .join('\n'),
    restored: true,
  });
}

/** Somebody edited it after it was read, and this change would write over it. */
export function editedMeanwhile(name: string): HelperError {
  const key = 'helper.drift.meanwhile';
  return new HelperError({ stage: 'drift', key, values: { name }, detail: '', restored: true });
}
