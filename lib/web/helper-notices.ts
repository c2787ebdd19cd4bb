/**
 * What the privileged helper could not do, in words.
 */
import type { HelperFailure } from '../errors.js';
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import type { MachineView } from '../machine/service.js';
import type { Notice } from './notice.js';

/** Whether there is a text with this key. */
type Has = (key: string) => boolean;

const UNSETTLED = 'helper.unsettled';

/** After these nobody here knows what was done, unless there was nothing to do. */
const LOST: ReadonlySet<string> = new Set([
  'helper.connect.cancelled',
  'helper.connect.cut',
  'helper.connect.timeout',
  'helper.lostAnswer',
  'helper.protocol.malformed',
]);

/** Why a save did not happen, or is in doubt: what that means, and that everything typed is still there. */
export function saveFailed(t: Translator, failure: HelperFailure, has: Has): Notice {
  return {
    kind: 'bad',
    role: 'alert',
    focus: true,
    title: t(titleOf(failure, has, `helper.title.${failure.stage}`)),
    paragraphs: [reason(t, failure, has), t(consequence(failure)), t('helper.kept')],
    ...(failure.key === UNSETTLED
      ? { link: { path: '/history', text: t('helper.unsettled.remedy') } }
      : {}),
    ...details(t, failure),
  };
}

/** How things are now. */
function consequence({ key, restored }: HelperFailure): string {
  if (restored) return 'helper.restored';
  if (key === UNSETTLED) return 'helper.unsettled.hangs';
  return LOST.has(key) ? 'helper.unknown' : 'helper.notRestored';
}

/** Where any request may fail; the other stages are those of a save. */
const OF_ANY: ReadonlySet<string> = new Set(['connect', 'protocol', 'validate', 'run']);

/** The helper did not do what a page asked of it; no form is involved, and it may have been nothing to save. */
export function requestFailed(t: Translator, failure: HelperFailure, has: Has): Notice {
  const { title, paragraphs, ...rest } = saveFailed(t, failure, has);
  return {
    ...rest,
    title: OF_ANY.has(failure.stage) ? t(titleOf(failure, has, 'helper.notDone')) : title,
    paragraphs: paragraphs.slice(0, 2),
  };
}

function titleOf({ key, restored }: HelperFailure, has: Has, otherwise: string): string {
  if (!restored && LOST.has(key)) return 'helper.unknown.title';
  return has(`${key}.title`) ? `${key}.title` : otherwise;
}

/** The helper is away: the page shows what was known before, and nothing can be saved. */
export function helperAway(
  t: Translator,
  format: Formats,
  failure: HelperFailure,
  known: MachineView | null,
  has: Has,
): Notice {
  const state =
    known === null
      ? t('helper.away.nothingKnown')
      : t('helper.away.lastKnown', { when: format.moment(known.at) });
  return {
    kind: 'warn',
    title: t('helper.away.title'),
    paragraphs: [reason(t, failure, has), state, t('helper.away.meaning')],
    ...details(t, failure),
  };
}

function reason(t: Translator, { key, values }: HelperFailure, has: Has): string {
  return t(has(key) ? key : 'helper.unnamed', has(key) ? values : {});
}

function details(t: Translator, { detail }: HelperFailure): Pick<Notice, 'details'> {
  return detail.trim() === ''
    ? {}
    : { details: { summary: t('helper.details'), text: detail.trim() } };
}
