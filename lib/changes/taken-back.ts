/** Which changes are not in force any more, because a later one took them back. */

/** The titles of a change that takes one back, and of one that takes back everything since one. */
export const UNDO = 'changes.title.undo';
export const UNDO_SINCE = 'changes.title.undoSince';

/** A change that takes back others. */
export interface Undo {
  readonly number: number;
  /** The change it takes back; with `since`, that one and all after it. */
  readonly undoes: number;
  readonly since: boolean;
}

/**
 * Gives the number of the change that took this one back; null for one that still counts, or counts again because its undo
 * was taken back. `undos` are all applied ones since the oldest change that is asked about, newest first.
 */
export function takenBackBy(undos: readonly Undo[]): (number: number) => number | null {
  const single = new Map<number, number>();
  const since: Undo[] = [];
  const by = (number: number): number | null =>
    since.find((undo) => undo.undoes <= number && number < undo.number)?.number ??
    single.get(number) ??
    null;
  for (const undo of undos) {
    if (by(undo.number) !== null) continue;
    if (undo.since) since.push(undo);
    else single.set(undo.undoes, undo.number);
  }
  return by;
}
