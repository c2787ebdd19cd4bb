/** What a check found out: a state, and words about it. */
import type { Words } from '../words.js';

export type FindingState = 'ok' | 'warn' | 'bad' | 'off';

export interface Finding extends Words {
  readonly state: FindingState;
  /** The state in a word, as a key, where the usual one does not fit. */
  readonly word?: string;
}

export function finding(state: FindingState, key: string, values: Words['values']): Finding {
  return { state, key, values };
}

/** The state in a word, as a key. */
export function wordOf({ state, word }: Finding): string {
  return word ?? `domains.check.word.${state}`;
}
