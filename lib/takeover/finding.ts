/**
 * What was found on a machine that somebody else set up: each setting with what becomes of it, why, and where it stands.
 */

/**
 * `understood`: a page says the same. `left`: stays as it is, no page speaks of it or could say it. `contradictory`:
 * Postfix does something else than the line seems to say, or nothing good at all.
 */
export type Verdict = 'understood' | 'left' | 'contradictory';
export const VERDICTS: readonly Verdict[] = ['contradictory', 'understood', 'left'];

export interface Place {
  readonly file: string;
  /** From 1; null where a file as a whole is meant. */
  readonly line: number | null;
}

export interface Finding {
  readonly verdict: Verdict;
  /** The section whose page it is about; null for what has no page. */
  readonly section: string | null;
  /** The parameter, service option or alias. */
  readonly parameter: string;
  /** As it is written, secrets left out. */
  readonly value: string;
  readonly where: Place;
  /** Why, as the end of a translation key, and its values. */
  readonly reason: string;
  readonly values: Readonly<Record<string, string | number>>;
}

/** Longest value that is shown, in characters. */
export const MAX_SHOWN_CHARS = 400;
