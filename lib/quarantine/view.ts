/** Kept-back mail in words. */
import { decodeWords } from 'postal-mime';
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import { readMessage } from '../queue/reading.js';
import { safeLine } from '../queue/safe-text.js';
import type { QuarantineJob } from './jobs.js';
import {
  KEEP_DAYS,
  kindOf,
  QUARANTINE_KINDS,
  type QuarantineKind,
  type QuarantineRow,
  type ShownQuarantine,
} from './schema.js';
import { QUARANTINE_SORTS, type QuarantineFilter, type QuarantineList } from './service.js';

/** Mails on one page. */
export const PAGE_ROWS = 30;
const NAMED_RECIPIENTS = 3;
const MAIN_HEADERS = ['from', 'to', 'cc', 'reply-to', 'date'];

export interface QuarantineParts {
  readonly t: Translator;
  readonly format: Formats;
  readonly path: string;
  /** The address of one of our pages by its path; '' when there is none. */
  readonly pageOf: (path: string) => string;
}

export interface QuarantineQuery extends QuarantineFilter {
  readonly page: number;
}

export function hrefOf(path: string, query: Readonly<Record<string, string | number>>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    const omitted =
      value === '' || (name === 'page' && value === 1) || (name === 'sort' && value === 'newest');
    if (!omitted) params.set(name, String(value));
  }
  return params.size === 0 ? path : `${path}?${params.toString()}`;
}

export function viewQuarantine(
  parts: QuarantineParts,
  list: QuarantineList,
  query: QuarantineQuery,
  keepDays: number,
): object {
  const { t, format, path } = parts;
  const { q, kind, sort } = query;
  const pages = Math.max(1, Math.ceil(list.rows.length / PAGE_ROWS));
  const page = Math.min(query.page, pages);
  const first = (page - 1) * PAGE_ROWS;
  const shown = list.rows.slice(first, first + PAGE_ROWS);
  const address = (changes: Readonly<Record<string, string | number>>): string =>
    hrefOf(path, { q, kind, sort, page: 1, ...changes });
  const kinds = QUARANTINE_KINDS.filter((name) => (list.counts.get(name) ?? 0) > 0);
  return {
    lead:
      list.total === 0 ? t('quarantine.lead.none') : t('quarantine.lead', { count: list.total }),
    kept: t('quarantine.kept', { count: keepDays }),
    causes: kinds.map((name) => ({
      label: t(`quarantine.kind.${name}`),
      count: format.number(list.counts.get(name) ?? 0),
      href: address({ kind: name === kind ? '' : name }),
      current: name === kind,
    })),
    rows: shown.map((row) => viewRow(parts, row)),
    range:
      shown.length === 0
        ? ''
        : t('list.range', {
            first: first + 1,
            last: first + shown.length,
            count: list.rows.length,
          }),
    previous: page > 1 ? address({ page: page - 1 }) : '',
    next: page < pages ? address({ page: page + 1 }) : '',
    leftOut: list.leftOut,
    filtered: q !== '' || kind !== '',
    matching: list.rows.length,
    sorts: QUARANTINE_SORTS.map((name) => ({
      value: name,
      label: t(`quarantine.sort.${name}`),
      chosen: name === sort,
    })),
    keepChoices: KEEP_DAYS.map((days) => ({
      value: days,
      label: t('quarantine.days', { count: days }),
      chosen: days === keepDays,
    })),
  };
}

function viewRow({ t, format, path }: QuarantineParts, row: QuarantineRow): object {
  const { recipients } = row;
  const hidden = recipients.length - NAMED_RECIPIENTS;
  return {
    id: row.id,
    href: `${path}/${row.id}`,
    sender: row.sender === '' ? t('queue.nullSender') : safeLine(row.sender),
    recipients: recipients.slice(0, NAMED_RECIPIENTS).map(safeLine),
    more: hidden > 0 ? t('queue.moreRecipients', { count: hidden }) : '',
    subject: subjectOf(t, row),
    kind: colourOf(kindOf(row.id)),
    isSpam: kindOf(row.id) === 'spam',
    reason: reasonOf(t, format, row),
    size: format.bytes(row.size),
    when: format.moment(new Date(row.at * 1000)),
  };
}

function subjectOf(t: Translator, { subject }: QuarantineRow): string {
  let decoded = subject;
  try {
    decoded = decodeWords(subject);
  } catch {
    // As it stands there, then.
  }
  const safe = safeLine(decoded);
  return safe === '' ? t('queue.show.noSubject') : safe;
}

function colourOf(kind: QuarantineKind): 'bad' | 'warn' {
  return kind === 'virus' ? 'bad' : 'warn';
}

/** Why it was kept back: the virus by its name, spam by its points. */
function reasonOf(t: Translator, format: Formats, row: QuarantineRow): string {
  const kind = kindOf(row.id);
  if (kind === 'spam' && row.score !== null) {
    return t('quarantine.reason.spam', { score: format.number(row.score, 1) });
  }
  return row.what === ''
    ? t(`quarantine.kind.${kind}`)
    : t('quarantine.reason.named', {
        kind: t(`quarantine.kind.${kind}`),
        what: safeLine(row.what),
      });
}

export async function viewKept(
  parts: QuarantineParts,
  shown: ShownQuarantine,
  keepDays: number,
): Promise<object> {
  const { t, format, pageOf } = parts;
  const { row } = shown;
  const read = await readMessage(shown);
  const main = MAIN_HEADERS.flatMap((name) =>
    read.headers.filter((header) => header.name.toLowerCase() === name),
  );
  const trace = pageOf('/trace');
  const facts = [
    [t('quarantine.fact.reason'), reasonOf(t, format, row)],
    [t('quarantine.fact.tests'), row.tests.join(', ')],
    [t('queue.fact.sender'), row.sender === '' ? t('queue.nullSender') : safeLine(row.sender)],
    [t('queue.show.recipients'), row.recipients.map(safeLine).join(', ')],
    [t('quarantine.fact.at'), format.moment(new Date(row.at * 1000))],
    [t('quarantine.fact.until'), format.date(new Date((row.at + keepDays * 86_400) * 1000))],
    [t('queue.fact.size'), format.bytes(row.size)],
  ];
  return {
    ...viewRow(parts, row),
    title: subjectOf(t, row),
    infected: kindOf(row.id) === 'virus',
    facts: facts.filter(([, value]) => value !== '').map(([label, value]) => ({ label, value })),
    headers: main,
    otherHeaders: read.headers.filter((header) => !main.includes(header)),
    text: read.text,
    sourceWords: t(`queue.text.${read.source}`),
    cut: read.cut,
    attachments: read.attachments.map(({ name, type, bytes }) => ({
      ...{ name, type },
      size: bytes === null ? '' : t('queue.show.about', { size: format.bytes(bytes) }),
    })),
    traceHref:
      trace === '' || row.messageId === ''
        ? ''
        : hrefOf(trace, { messageId: safeLine(row.messageId) }),
  };
}

export function viewJob(
  { t, format, path }: QuarantineParts,
  { id, action, actor, failure, result, settled, startedAt, total }: QuarantineJob,
  has: (key: string) => boolean,
): object {
  const running = result === null && failure === null;
  const { done = 0, gone = 0, failed = 0, unlearnt = 0, failures = [] } = result ?? {};
  const cancelled = result?.cancelled ?? false;
  const counted = (key: string, count: number): string[] => (count > 0 ? [t(key, { count })] : []);
  // What was delivered, and not all of it learnt, was delivered.
  const ended = unlearnt > 0 ? 'release' : action;
  const untold = failed + unlearnt - failures.length;
  return {
    ...{ id, running, total, settled, href: `${path}/jobs/${id}` },
    title: running
      ? t(`quarantine.running.${action}`, { done: format.number(settled), total })
      : t(
          failure !== null
            ? 'quarantine.ended.failed'
            : cancelled
              ? 'quarantine.ended.cancelled'
              : `quarantine.ended.${ended}`,
        ),
    kind: failure !== null ? 'bad' : failed > 0 || unlearnt > 0 || cancelled ? 'warn' : 'ok',
    outcome: [
      ...counted(`quarantine.done.${ended}`, done),
      ...counted('quarantine.gone', gone),
      ...counted('quarantine.failedCount', failed),
      ...(failure === null
        ? []
        : [has(failure.key) ? t(failure.key, failure.values) : t('helper.unnamed')]),
    ],
    failures: failures.map((one) => ({
      id: one.id,
      why: t(`quarantine.failure.${one.why}`),
      detail: safeLine(one.detail),
    })),
    untold: untold > 0 ? t('quarantine.untold', { count: untold }) : '',
    started: t('queue.job.started', { who: actor, when: format.ago(startedAt) }),
  };
}
