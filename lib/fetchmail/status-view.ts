/** How polls went, in words: a label, the sentence, and what to do. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import { isGood, type Outcome, type PollResult, type QueryStatus } from '../fetcher/status.js';
import type { StoredQuery } from './store.js';

export interface StatusView {
  readonly kind: 'ok' | 'warn' | 'bad' | 'info' | 'off';
  readonly word: string;
  /** What it means and what to do; '' when there is nothing to say. */
  readonly text: string;
}

/** Failures of these pass by themselves most of the time. */
const PASSING: ReadonlySet<Outcome> = new Set([
  'timeout',
  'unreachable',
  'later',
  'mailboxBusy',
  'dropped',
  'alreadyFetching',
  'stopped',
]);

export function viewStatus(
  t: Translator,
  query: Pick<StoredQuery, 'enabled' | 'server'>,
  status: QueryStatus | null,
): StatusView {
  if (!query.enabled) return { kind: 'off', word: t('fetchmail.state.off'), text: '' };
  if (status === null) return { kind: 'info', word: t('fetchmail.state.never'), text: '' };
  return viewResult(t, query.server, status.result);
}

export function viewResult(t: Translator, server: string, result: PollResult): StatusView {
  const { outcome, fetched, left, detail } = result;
  const values = { server, fetched, left, detail };
  const kind = isGood(outcome) ? 'ok' : PASSING.has(outcome) ? 'warn' : 'bad';
  return {
    kind,
    word: t(`fetchmail.outcome.${outcome}`, values),
    text: isGood(outcome) ? '' : t(`fetchmail.meaning.${outcome}`, values),
  };
}

/** What a test found, as title, meaning and points. */
export function viewTest(
  t: Translator,
  server: string,
  result: PollResult,
): StatusView & { readonly points: readonly string[] } {
  const { outcome, waiting, seen, detail } = result;
  if (isGood(outcome)) {
    const values = { server, waiting: waiting ?? 0, seen: seen ?? 0 };
    const text = t('fetchmail.test.good.text', values);
    return { kind: 'ok', word: t('fetchmail.test.good.title', values), text, points: [] };
  }
  const view = viewResult(t, server, result);
  const points = detail === '' ? [] : [t('fetchmail.said', { detail })];
  return { ...view, points };
}

/** The facts about a query's polls, for its own page. */
export function statusFacts(
  t: Translator,
  format: Formats,
  query: StoredQuery,
  status: QueryStatus | null,
): readonly { readonly label: string; readonly value: string }[] {
  if (status === null) return [];
  const when = (at: string | null): string =>
    at === null ? t('fetchmail.fact.never') : format.moment(new Date(at));
  const { result, failingSince, failures, maybeTwice } = status;
  return [
    { label: t('fetchmail.fact.last'), value: when(status.finishedAt) },
    ...(query.enabled
      ? [{ label: t('fetchmail.fact.next'), value: nextText(t, format, status) }]
      : []),
    { label: t('fetchmail.fact.lastMail'), value: when(status.lastMailAt) },
    { label: t('fetchmail.fact.fetched'), value: format.number(status.fetchedInAll) },
    { label: t('fetchmail.fact.left'), value: format.number(result.left) },
    ...(maybeTwice.length === 0
      ? []
      : [
          {
            label: t('fetchmail.fact.maybeTwice'),
            value: maybeTwice
              .map(({ at, messageId }) =>
                t('fetchmail.fact.maybeTwice.value', {
                  when: when(at),
                  message: messageId === '' ? t('fetchmail.fact.maybeTwice.nameless') : messageId,
                }),
              )
              .join(' '),
          },
        ]),
    ...(failingSince === null
      ? []
      : [
          {
            label: t('fetchmail.fact.failing'),
            value: t('fetchmail.fact.failing.value', { when: when(failingSince), count: failures }),
          },
        ]),
  ];
}

export function nextText(t: Translator, format: Formats, status: QueryStatus | null): string {
  const next = status?.nextAt ?? null;
  return next === null || Date.parse(next) < Date.now()
    ? t('fetchmail.fact.soon')
    : format.soon(new Date(next));
}
