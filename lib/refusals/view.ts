/** Refusals in words: the deciding check, what to do, and the exception that would let the next one in. */
import { isIP } from 'node:net';
import { safeLine } from '../queue/safe-text.js';
import { clientWords } from '../trace/hop-words.js';
import type { LogSearch } from '../trace/searches.js';
import { isRunning } from '../trace/searches.js';
import { limitsOf, type TraceParts } from '../trace/view.js';
import { factsOf, type Exceptable, type RefusalCause } from './causes.js';
import { groupRefusals, type RefusalGroup } from './groups.js';

/** Rows on one page. */
export const PAGE_REFUSALS = 30;
const NAMED_RECIPIENTS = 3;
const MAX_SAID = 5;

/** How far back is looked, in seconds; 0 is all there is. */
export const SPANS = { day: 86_400, week: 7 * 86_400, all: 0 } as const;
export type Span = keyof typeof SPANS;

export interface RefusalQuery {
  readonly q: string;
  readonly span: Span;
  readonly cause: RefusalCause | '';
  readonly page: number;
}

export interface RefusalRow {
  readonly key: string;
  readonly client: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly more: string;
  readonly kind: 'warn' | 'bad' | 'off';
  readonly cause: string;
  readonly todo: string;
  readonly said: readonly string[];
  readonly count: number;
  readonly last: string;
  readonly traceHref: string;
  readonly exceptions: readonly { readonly href: string; readonly text: string }[];
}

export interface RefusalsView {
  readonly running: boolean;
  readonly lead: string;
  readonly progress: string;
  readonly searched: number;
  readonly total: number;
  readonly causes: readonly {
    readonly label: string;
    readonly count: string;
    readonly href: string;
    readonly current: boolean;
  }[];
  readonly rows: readonly RefusalRow[];
  readonly range: string;
  readonly previous: string;
  readonly next: string;
  readonly limits: readonly string[];
  readonly hereHref: string;
  readonly stopHref: string;
  readonly againHref: string;
  readonly noLog: boolean;
}

export function viewRefusals(
  parts: TraceParts,
  search: LogSearch,
  query: RefusalQuery,
): RefusalsView {
  const { t, format } = parts;
  const { found, searched, total, end } = search;
  const { causes, groups, count } = groupRefusals(found, query.cause);
  const running = isRunning(search);
  const pages = Math.max(1, Math.ceil(groups.length / PAGE_REFUSALS));
  const page = Math.min(query.page, pages);
  const first = (page - 1) * PAGE_REFUSALS;
  const shown = groups.slice(first, first + PAGE_REFUSALS);
  const address = (changes: Readonly<Record<string, string | number>>): string =>
    hrefOf(parts.path, { ...query, page: 1, ...changes });
  return {
    running,
    lead: t(running ? 'refusals.lead.running' : 'refusals.lead.done', { count }),
    progress: t(total === null ? 'trace.progress.some' : 'trace.progress.of', {
      size: format.bytes(searched),
      ...(total === null ? {} : { total: format.bytes(total) }),
    }),
    searched: Math.min(searched, total ?? searched),
    total: total ?? 0,
    causes: causes.map(({ cause, count: number }) => ({
      label: t(`refusals.cause.${cause}.title`),
      count: format.number(number),
      href: address({ cause: cause === query.cause ? '' : cause }),
      current: cause === query.cause,
    })),
    rows: shown.map((group, at) => viewGroup(parts, group, `r-${first + at}`)),
    range:
      groups.length > PAGE_REFUSALS
        ? t('list.range', { first: first + 1, last: first + shown.length, count: groups.length })
        : '',
    previous: page > 1 ? address({ page: page - 1 }) : '',
    next: page < pages ? address({ page: page + 1 }) : '',
    limits: end === null ? [] : limitsOf(parts, end),
    hereHref: address({ page }),
    stopHref: address({ stop: 1 }),
    againHref: address({ fresh: Math.floor(search.startedAt.getTime() / 1000) }),
    noLog: end?.source === 'none',
  };
}

function hrefOf(path: string, values: Readonly<Record<string, string | number>>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    const omitted = value === '' || (name === 'page' && value === 1);
    if (!omitted) params.set(name, String(value));
  }
  return `${path}?${params.toString()}`;
}

function viewGroup(parts: TraceParts, group: RefusalGroup, key: string): RefusalRow {
  const { t, format, pageOf } = parts;
  const { cause, client, count, id, last, more, recipients, said, sender, warning } = group;
  const hidden = Math.max(0, recipients.length - NAMED_RECIPIENTS) + more;
  const trace = pageOf('/trace');
  const facts = factsOf(cause);
  return {
    key,
    client: clientWords(t, client),
    sender: sender === null ? '' : sender === '' ? t('queue.nullSender') : safeLine(sender),
    recipients: recipients.slice(0, NAMED_RECIPIENTS).map(safeLine),
    more: hidden > 0 ? t('queue.moreRecipients', { count: hidden }) : '',
    kind: warning ? 'off' : facts.passing ? 'warn' : 'bad',
    cause: t(`refusals.cause.${cause}.title`),
    todo: t(warning ? 'refusals.onlyNoted' : `refusals.cause.${cause}.todo`),
    said: said.slice(0, MAX_SAID).map(safeLine),
    count,
    last: format.moment(new Date(last * 1000)),
    traceHref: id === '' || trace === '' ? '' : hrefOf(trace, { id }),
    exceptions: facts.exceptions.flatMap((kind) => exceptionFor(parts, kind, group)),
  };
}

/** The page where an exception is made, with all filled in; none where there is no such page, or nothing to except. */
function exceptionFor(
  { t, pageOf }: TraceParts,
  kind: Exceptable,
  { client, sender }: RefusalGroup,
): RefusalRow['exceptions'] {
  const page = pageOf('/security/exceptions');
  const value = valueFor(kind, client.address, sender ?? '');
  if (page === '' || value === '') return [];
  const text = t(`refusals.except.${kind}`, { value });
  return [{ href: hrefOf(`${page}/new`, { kind, value }), text }];
}

function valueFor(kind: Exceptable, address: string, sender: string): string {
  if (kind === 'ip') {
    return isIP(address) === 0 || address.startsWith('127.') || address === '::1' ? '' : address;
  }
  const at = sender.lastIndexOf('@');
  if (at < 1 || !/^[\x21-\x7e]{3,254}$/.test(sender)) return '';
  return kind === 'address' ? sender : sender.slice(at + 1);
}
