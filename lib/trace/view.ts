/** What was found in the mail log, in words. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import { safeLine, safeText } from '../queue/safe-text.js';
import { hopWords, type HopWords } from './hop-words.js';
import { localTime, type TraceQuery } from './query.js';
import type { FoundMessage, SearchEnd } from './schema.js';
import { isRunning, type LogSearch } from './searches.js';
import { tellStory, type Outcome, type Story } from './story.js';

/** Mails on one page. */
export const PAGE_STORIES = 25;
/** So few are shown with every step. */
const OPEN_STORIES = 3;
/** Recipients that a row names. */
const NAMED_RECIPIENTS = 3;
/** Hops of one mail that its row tells. */
const TOLD_HOPS = 100;

const OUTCOME_KINDS: Readonly<Record<Outcome, HopWords['kind']>> = {
  delivered: 'ok',
  waiting: 'warn',
  bounced: 'bad',
  expired: 'bad',
  refused: 'bad',
  filtered: 'bad',
  deleted: 'off',
  discarded: 'warn',
  partly: 'warn',
  held: 'warn',
  moving: 'info',
  broken: 'off',
  requeued: 'info',
  checked: 'off',
  unclear: 'off',
};
/** Outcomes of mail that is, or may be, in the queue. */
const QUEUED: ReadonlySet<Outcome> = new Set(['waiting', 'held', 'moving']);

export interface TraceParts {
  readonly t: Translator;
  readonly format: Formats;
  /** Address of the page. */
  readonly path: string;
  /** The address of one of our pages by its path; '' when there is none. */
  readonly pageOf: (path: string) => string;
}

export interface StoryView {
  readonly key: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly more: string;
  readonly ids: readonly { readonly id: string; readonly href: string }[];
  readonly when: string;
  readonly kind: HopWords['kind'];
  readonly outcome: string;
  readonly open: boolean;
  readonly queueHref: string;
  readonly steps: string;
  readonly hops: readonly (HopWords & { readonly when: string; readonly href: string })[];
  readonly moreHops: string;
  readonly facts: readonly string[];
  readonly raw: readonly string[];
}

export interface TraceView {
  readonly running: boolean;
  readonly lead: string;
  /** Shares of the log, for a bar; `total` is 0 while nobody knows. */
  readonly searched: number;
  readonly total: number;
  readonly progress: string;
  readonly stories: readonly StoryView[];
  readonly range: string;
  readonly previous: string;
  readonly next: string;
  /** Sentences on why there may be more than this. */
  readonly limits: readonly string[];
  /** Where the search goes on further back; '' when it has seen all. */
  readonly olderHref: string;
  readonly hereHref: string;
  readonly stopHref: string;
  readonly againHref: string;
  /** There is no log at all. */
  readonly noLog: boolean;
}

export function viewTrace(
  parts: TraceParts,
  search: LogSearch,
  query: TraceQuery,
  page: number,
): TraceView {
  const { t, format } = parts;
  const { found, searched, total, end } = search;
  const running = isRunning(search);
  const pages = Math.max(1, Math.ceil(found.length / PAGE_STORIES));
  const current = Math.min(page, pages);
  const first = (current - 1) * PAGE_STORIES;
  const shown = found.slice(first, first + PAGE_STORIES);
  const address = addresses(parts.path, query);
  const open = found.length <= OPEN_STORIES;
  const reached = end === null ? 0 : reachedBy(search, end);
  const goesOn = end !== null && end.limit !== null && reached > 0;
  return {
    running,
    lead: running
      ? t('trace.lead.running', { count: found.length })
      : t('trace.lead.done', { count: found.length }),
    searched: Math.min(searched, total ?? searched),
    total: total ?? 0,
    progress:
      total === null
        ? t('trace.progress.some', { size: format.bytes(searched) })
        : t('trace.progress.of', { size: format.bytes(searched), total: format.bytes(total) }),
    stories: shown.map((message, at) =>
      viewStory(parts, message, { key: `t-${found.length > 0 ? first + at : 0}`, open }),
    ),
    range:
      found.length > PAGE_STORIES
        ? t('list.range', { first: first + 1, last: first + shown.length, count: found.length })
        : '',
    previous: current > 1 ? address({ page: current - 1 }) : '',
    next: current < pages ? address({ page: current + 1 }) : '',
    limits: end === null ? [] : limitsOf(parts, end),
    olderHref: goesOn && end.limit !== 'unpacked' ? address({ to: localTime(reached) }) : '',
    hereHref: address({ page: current }),
    stopHref: address({ stop: 1 }),
    againHref: address({ fresh: Math.floor(search.startedAt.getTime() / 1000) }),
    noLog: end?.source === 'none',
  };
}

/**
 * How far back all was looked at, in seconds since 1970; 0 when nobody knows. Not where the last mail that was found began:
 * one that waited for days is found by its latest try, and everything in between would be left out.
 */
function reachedBy({ found }: LogSearch, { reached }: SearchEnd): number {
  return reached > 0 ? reached : (found.at(-1)?.lines.at(-1)?.at ?? 0);
}

/** The page for the same question with something changed. */
function addresses(
  path: string,
  { values }: TraceQuery,
): (changes: Readonly<Record<string, string | number>>) => string {
  return (changes) => {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...values, ...changes })) {
      if (value !== '' && !(name === 'page' && value === 1)) params.set(name, String(value));
    }
    // Without any field nothing is asked.
    if (Object.keys(values).every((name) => !params.has(name))) params.set('sender', '');
    return `${path}?${params.toString()}`;
  };
}

/** Why there may be more than was found, in sentences. */
export function limitsOf({ t, format }: TraceParts, end: SearchEnd): readonly string[] {
  const reached = end.reached === 0 ? '' : format.moment(new Date(end.reached * 1000));
  return [
    ...(end.limit === null ? [] : [t(`trace.limit.${end.limit}`, { reached })]),
    ...(end.unreadable.length === 0
      ? []
      : [t('trace.limit.unreadable', { files: format.list(end.unreadable.map(safeLine)) })]),
  ];
}

function viewStory(
  parts: TraceParts,
  message: FoundMessage,
  { key, open }: { readonly key: string; readonly open: boolean },
): StoryView {
  const { t, format, path, pageOf } = parts;
  const story = tellStory(message);
  const { fates, ids, outcome, hops } = story;
  const at = new Date(story.at * 1000);
  const names = [
    ...new Set(fates.flatMap(({ recipient }) => (recipient === '' ? [] : [recipient]))),
  ];
  const hidden = names.length - NAMED_RECIPIENTS;
  const queue = QUEUED.has(outcome) ? pageOf('/queue') : '';
  const idHref = (id: string): string => `${path}?${new URLSearchParams({ id }).toString()}`;
  return {
    key,
    sender:
      story.sender === null
        ? t('trace.senderUnknown')
        : story.sender === ''
          ? t('queue.nullSender')
          : safeLine(story.sender),
    recipients: names.slice(0, NAMED_RECIPIENTS).map(safeLine),
    more: hidden > 0 ? t('queue.moreRecipients', { count: hidden }) : '',
    ids: ids.map((id) => ({ id, href: idHref(id) })),
    when: format.moment(at),
    kind: OUTCOME_KINDS[outcome],
    outcome: t(`trace.outcome.${outcome}`),
    open,
    queueHref: queue === '' || ids.length === 0 ? '' : `${queue}/${ids.at(-1) ?? ''}`,
    steps: t('trace.steps', { count: hops.length }),
    hops: hops.slice(0, TOLD_HOPS).map((hop) => {
      const words = hopWords(parts, hop, ids);
      return {
        ...words,
        when: whenWords(format, new Date(hop.event.at * 1000), at),
        href: words.id === '' ? '' : idHref(words.id),
      };
    }),
    moreHops:
      hops.length > TOLD_HOPS ? t('trace.moreSteps', { count: hops.length - TOLD_HOPS }) : '',
    facts: factsOf(parts, message, story),
    raw: message.lines.map(({ at: second, program, text }) => {
      const time = format.clock(new Date(second * 1000));
      return safeLine(safeText(`${time} ${program}: ${text}`));
    }),
  };
}

/** To the second; with the day where it is another one than the mail's first. */
function whenWords(format: Formats, at: Date, first: Date): string {
  return at.toDateString() === first.toDateString() ? format.clock(at) : format.moment(at);
}

function factsOf(
  { t, format }: TraceParts,
  { headless, leftOut }: FoundMessage,
  { messageId, size }: Story,
): readonly string[] {
  const facts: string[] = [];
  if (messageId !== '') facts.push(t('trace.fact.messageId', { id: safeLine(messageId) }));
  if (size > 0) facts.push(t('trace.fact.size', { size: format.bytes(size) }));
  if (headless) facts.push(t('trace.fact.headless'));
  if (leftOut > 0) facts.push(t('trace.fact.leftOut', { count: leftOut }));
  return facts;
}
