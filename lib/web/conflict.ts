/**
 * Somebody saved first: both versions of a form, one choice per setting, for the view `_kit/conflict`.
 */
import type { ConflictError } from '../errors.js';
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import type { Notice } from './notice.js';

/** One setting in both versions: as the form sends it, and in words. */
export interface Contested {
  readonly name: string;
  readonly label: string;
  readonly mine: { readonly value: string; readonly text: string };
  readonly theirs: { readonly value: string; readonly text: string };
}

export interface ConflictView {
  readonly title: string;
  readonly lead: string;
  readonly action: string;
  readonly version: number;
  /** What both versions share. */
  readonly fields: readonly { readonly name: string; readonly value: string }[];
  readonly rows: readonly Contested[];
  /** Heading of the other person's column. */
  readonly theirs: string;
  readonly drop: string;
}

/** Who saved first, and when. */
export function conflictTitle(
  t: Translator,
  format: Formats,
  { by }: Pick<ConflictError, 'by'>,
): string {
  if (by === null) return t('conflict.titleUnknown');
  return t('conflict.title', { who: by.login, when: format.moment(by.at) });
}

/** What was edited was removed meanwhile: what was typed stays, in the form for a new one. */
export function goneNotice(t: Translator): Notice {
  return {
    ...{ kind: 'warn', role: 'alert', focus: true },
    title: t('conflict.gone.title'),
    paragraphs: [t('conflict.gone.text')],
  };
}

/** Null when both versions say the same: then there is nothing to choose. */
export function viewConflict(
  t: Translator,
  format: Formats,
  error: ConflictError,
  action: string,
  settings: readonly Contested[],
): ConflictView | null {
  const rows = settings.filter(({ mine, theirs }) => mine.value !== theirs.value);
  if (rows.length === 0) return null;
  const who = error.by?.login ?? t('conflict.somebody');
  return {
    title: conflictTitle(t, format, error),
    lead: t('conflict.lead', { count: rows.length }),
    action,
    version: error.version,
    fields: settings
      .filter((setting) => !rows.includes(setting))
      .map(({ name, mine }) => ({ name, value: mine.value })),
    rows,
    theirs: t('conflict.theirs', { who }),
    drop: t('conflict.drop', { who }),
  };
}
