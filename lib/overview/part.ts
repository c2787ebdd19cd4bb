/** One part of the mail server as a row of the overview. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';

export interface Part {
  /** `overview.part.<id>` is its name. */
  readonly id: string;
  /** The page about it, below the mount point. */
  readonly path: string;
  /** `off`: switched off, or nothing is known; `word` says which. */
  readonly kind: 'ok' | 'warn' | 'bad' | 'off';
  /** The state in a word, as a key. */
  readonly word: string;
  /** What is known, in short sentences. */
  readonly say: (t: Translator, format: Formats) => readonly string[];
}

/** The usual word for a state. */
export function wordOf(kind: Part['kind']): string {
  return `overview.word.${kind}`;
}
