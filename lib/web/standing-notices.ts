/**
 * Notices about how things are, whatever was just done: the helper is away, nothing is known, somebody may only look.
 */
import type { HelperError } from '../errors.js';
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import type { MachineView } from '../machine/service.js';
import type { Unclear } from '../sections/section.js';
import { helperAway } from './helper-notices.js';
import type { Notice } from './notice.js';

export interface Standing {
  readonly source: 'saved' | 'machine' | 'unknown';
  readonly unclear: readonly Unclear[];
  readonly machine: MachineView | null;
  readonly failure: HelperError | null;
}

export interface StandingOptions {
  readonly readOnly: boolean;
  readonly has: (key: string) => boolean;
  /** Whose hand edits are told on this page. */
  readonly section: string;
  /** Where the plugin is mounted. */
  readonly mount: string;
}

export function standingNotices(
  t: Translator,
  format: Formats,
  { source, unclear, machine, failure }: Standing,
  { readOnly, has, section, mount }: StandingOptions,
): readonly Notice[] {
  const notices: Notice[] = [];
  if (failure !== null) notices.push(helperAway(t, format, failure.toFailure(), machine, has));
  if (source === 'unknown') {
    const [title, text] = [t('settings.unknown.title'), t('settings.unknown.text')];
    notices.push({ kind: 'info', title, paragraphs: [text] });
  }
  notices.push(...editedNotices(t, machine, section, mount));
  if (unclear.length > 0) {
    notices.push({
      kind: 'warn',
      title: t('settings.unclear.title'),
      paragraphs: [t('settings.unclear.text')],
      points: unclear.map(({ key, parameter, value }) => t(key, { parameter, value })),
    });
  }
  if (readOnly) {
    const [title, text] = [t('settings.readOnly.title'), t('settings.readOnly.text')];
    notices.push({ kind: 'off', title, paragraphs: [text] });
  }
  return notices;
}

/** That something this page looks after was edited by hand, and where to decide about it. */
export function editedNotices(
  t: Translator,
  machine: MachineView | null,
  section: string,
  mount: string,
): readonly Notice[] {
  const edited = machine?.sections[section]?.edited ?? [];
  if (edited.length === 0) return [];
  return [
    {
      kind: 'warn',
      title: t('settings.edited.title', { count: edited.length }),
      paragraphs: [t('settings.edited.text')],
      points: edited,
      link: { href: `${mount}/differences`, text: t('settings.edited.remedy') },
    },
  ];
}
