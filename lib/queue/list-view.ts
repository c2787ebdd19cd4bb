/** The list of the queue in words: what the page shows of each message, and where each filter leads. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import { CAUSE_IDS, sideOf, type Cause } from './causes.js';
import type { PicturedMessage } from './picture.js';
import {
  AGES,
  filterOf,
  PAGE_ROWS,
  queryParams,
  SORTS,
  type QueueFilter,
  type QueueQuery,
} from './query.js';
import { safeLine } from './safe-text.js';
import { QUEUES, type QueueAction, type QueueName, type QueueSchedule } from './schema.js';
import { totalOf } from './pictures.js';
import { givenUpAt, type QueueList } from './service.js';
import { groupsView, type GroupsView } from './groups-view.js';

/** Recipients of one message that are named in its row; the others are counted. */
const NAMED_RECIPIENTS = 3;
/** Reasons of one message that its row tells; the others are on its own page. */
const TOLD_REASONS = 5;

/** Where a cause that is ours is put right. */
const REMEDIES: Readonly<Partial<Record<Cause, string>>> = {
  smarthostLogin: '/configuration/smarthost',
  ourName: '/configuration/base',
  localDelivery: '/configuration/base',
  localService: '/configuration/smarthost',
};

export interface RowView {
  readonly id: string;
  readonly href: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly more: string;
  /** What the row is called where it stands alone. */
  readonly name: string;
  readonly reason: string;
  readonly reasons: readonly { readonly who: string; readonly words: string }[];
  readonly chips: readonly { readonly kind: string; readonly text: string }[];
  readonly size: string;
  readonly waiting: string;
  readonly since: string;
  readonly nextTry: string;
  readonly givenUp: string;
  /** What can be done with it. */
  readonly actions: readonly ActionView[];
}

/** A button. */
export interface ActionView {
  readonly name: QueueAction;
  readonly label: string;
  readonly danger: boolean;
}

export interface Advice {
  readonly title: string;
  readonly text: string;
  readonly todo: string;
  /** The page where it is put right; '' when it is none of ours. */
  readonly remedyHref: string;
}

export interface ListView {
  readonly lead: string;
  readonly age: string;
  /** A newer list is on its way. */
  readonly renewing: boolean;
  readonly rows: readonly RowView[];
  readonly groups: GroupsView | null;
  /** Where the groups are, when they were not asked for yet. */
  readonly groupsHref: string;
  readonly range: string;
  readonly previous: string;
  readonly next: string;
  readonly matching: number;
  readonly total: number;
  readonly filtered: boolean;
  readonly filter: QueueFilter;
  readonly sorts: readonly Choice[];
  readonly ages: readonly Choice[];
  readonly queues: readonly Choice[];
  readonly reasons: readonly Choice[];
  /** What the chosen cause means and what to do. */
  readonly advice: Advice | null;
  /** What can be done with chosen messages. */
  readonly actions: readonly ActionView[];
  readonly hereHref: string;
  /** The filter as hidden fields of a form. */
  readonly fields: readonly { readonly name: string; readonly value: string }[];
}

export interface Choice {
  readonly value: string;
  readonly label: string;
  readonly chosen: boolean;
}

export interface ViewParts {
  readonly t: Translator;
  readonly format: Formats;
  /** Address of the list. */
  readonly path: string;
  readonly now: Date;
  /** The address of one of our pages by its path; '' when there is none. */
  readonly pageOf: (path: string) => string;
}

export function viewList(parts: ViewParts, list: QueueList, query: QueueQuery): ListView {
  const { t, format, path } = parts;
  const { selection, groups } = list;
  const total = totalOf(list.counts);
  const address = (changes: Partial<QueueQuery>): string => {
    const params = queryParams({ ...query, page: 1, ...changes });
    return params.size === 0 ? path : `${path}?${params.toString()}`;
  };
  const first = (selection.page - 1) * PAGE_ROWS + 1;
  const choice = (value: string, label: string, chosen: string): Choice => ({
    value,
    label,
    chosen: value === chosen,
  });
  const filter = filterOf(query);
  const filtered = queryParams(filter).size > 0;
  return {
    lead: leadOf(parts, list, filtered),
    age: t(list.renewing ? 'queue.age.renewing' : 'queue.age', { time: format.clock(list.at) }),
    renewing: list.renewing,
    rows: selection.messages.map((message) => viewRow(parts, message, list.schedule)),
    groups: groups === null ? null : groupsView(parts, groups, query, address),
    groupsHref: address({ sort: 'oldest' }),
    range:
      selection.messages.length === 0
        ? ''
        : t('list.range', {
            first,
            last: first + selection.messages.length - 1,
            count: selection.matching,
          }),
    previous: selection.page > 1 ? address({ page: selection.page - 1 }) : '',
    next: selection.page < selection.pages ? address({ page: selection.page + 1 }) : '',
    matching: selection.matching,
    total,
    filtered,
    filter,
    sorts: [
      ...(list.sort === '' ? [choice('', t('queue.sort.asFound'), '')] : []),
      ...SORTS.map((sort) => choice(sort, t(`queue.sort.${sort}`), list.sort)),
    ],
    ages: [
      choice('', t('queue.anyAge'), query.olderThan === 0 ? '' : '-'),
      ...AGES.map((age) =>
        choice(
          String(age),
          t('queue.olderThan', { age: format.duration(age * 1000) }),
          String(query.olderThan),
        ),
      ),
    ],
    queues: [
      choice('', t('queue.anyQueue'), query.queue),
      ...QUEUES.map((queue) => choice(queue, t(`queue.in.${queue}`), query.queue)),
    ],
    reasons: [
      choice('', t('queue.anyReason'), query.reason),
      ...CAUSE_IDS.map((cause) => choice(cause, t(`queue.cause.${cause}.title`), query.reason)),
    ],
    advice: query.reason === '' ? null : adviceOf(parts, query.reason),
    actions: actionsOf(t, ['deliver', 'hold', 'release', 'requeue', 'delete']),
    hereHref: address({ page: selection.page }),
    fields: [...queryParams({ ...filter, sort: query.sort })].map(([name, value]) => ({
      name,
      value,
    })),
  };
}

function leadOf(
  { t, format, now }: ViewParts,
  { counts, groups, selection, sort }: QueueList,
  filtered: boolean,
): string {
  const count = totalOf(counts);
  if (count === 0) return t('queue.lead.none');
  if (filtered) return t('queue.lead.filtered', { count: selection.matching, total: count });
  const sentences: string[] = [];
  const oldest = selection.page === 1 ? selection.messages[0]?.arrival : undefined;
  if (oldest !== undefined && sort === 'oldest') {
    const age = format.duration(now.getTime() - oldest * 1000);
    sentences.push(t('queue.lead.oldest', { count, age }));
  } else {
    sentences.push(t('queue.lead.count', { count }));
  }
  const top = groups?.causes.find(({ key }) => key !== 'notTried');
  if (top !== undefined && top.messages > 1) {
    const cause = t(`queue.cause.${top.key}.title`);
    sentences.push(t('queue.lead.cause', { count: top.messages, cause }));
  }
  if (counts.hold > 0) sentences.push(t('queue.lead.held', { count: counts.hold }));
  return sentences.join(' ');
}

export function adviceOf({ t, pageOf }: ViewParts, cause: Cause): Advice {
  const remedy = REMEDIES[cause];
  return {
    title: t(`queue.cause.${cause}.title`),
    text: t(`queue.cause.${cause}.text`),
    todo: t(`queue.cause.${cause}.todo`),
    remedyHref: remedy === undefined ? '' : pageOf(remedy),
  };
}

/** What can be done with a message there. */
export function actionsFor(t: Translator, queue: QueueName): readonly ActionView[] {
  return actionsOf(
    t,
    queue === 'hold' ? ['release', 'delete'] : ['deliver', 'hold', 'requeue', 'delete'],
  );
}

function actionsOf(t: Translator, names: readonly QueueAction[]): readonly ActionView[] {
  return names.map((name) => ({
    name,
    label: t(`queue.action.${name}`),
    danger: name === 'delete',
  }));
}

/** One message of the list. */
export function viewRow(
  parts: ViewParts,
  message: PicturedMessage,
  schedule: QueueSchedule,
): RowView {
  const { t, format, path, now } = parts;
  const recipients = message.recipients.map(([address]) => safeLine(address));
  const others = recipients.length - NAMED_RECIPIENTS + message.moreRecipients;
  const named = recipients.slice(0, others > 0 ? NAMED_RECIPIENTS : recipients.length);
  const arrival = new Date(message.arrival * 1000);
  const lastTry = givenUpAt(message, schedule);
  return {
    id: message.id,
    href: `${path}/${message.id}`,
    sender: message.sender === '' ? t('queue.nullSender') : safeLine(message.sender),
    recipients: named,
    more: others > 0 ? t('queue.moreRecipients', { count: others }) : '',
    name: t('queue.rowName', { id: message.id, recipient: named[0] ?? '' }),
    ...reasonsOf(t, message),
    chips: chipsOf(t, message),
    size: format.bytes(message.size),
    waiting: format.duration(now.getTime() - arrival.getTime()),
    since: format.moment(arrival),
    nextTry: nextTryOf(t, format, message, now),
    givenUp: lastTry === null ? '' : givenUpWords(parts, lastTry),
    actions: actionsFor(t, message.queue),
  };
}

/** The cause that says most in one line, and every different reason with whom it concerns. */
function reasonsOf(t: Translator, message: PicturedMessage): Pick<RowView, 'reason' | 'reasons'> {
  const causes = byWeight(message.causes);
  const [first = 'notTried'] = causes;
  const title = t(`queue.cause.${first}.title`);
  const told = new Map<string, { readonly words: string; readonly who: string[] }>();
  message.recipients.forEach(([address, words]) => {
    if (words === '') return;
    const reason = told.get(words);
    if (reason) reason.who.push(safeLine(address));
    else told.set(words, { words: safeLine(words), who: [safeLine(address)] });
  });
  return {
    reason:
      causes.length > 1
        ? t('queue.severalCauses', { cause: title, count: causes.length - 1 })
        : title,
    reasons: [...told.values()].slice(0, TOLD_REASONS).map(({ words, who }) => ({
      words,
      who:
        told.size === 1
          ? ''
          : who.length > NAMED_RECIPIENTS
            ? t('queue.andMore', { first: who[0] ?? '', count: who.length - 1 })
            : who.join(', '),
    })),
  };
}

/** Each cause once: what the administrator can put right comes before what passes by itself; an unknown cause says least. */
export function byWeight(causes: readonly Cause[]): readonly Cause[] {
  const weight = (cause: Cause): number =>
    cause === 'notTried' ? 0 : { us: 4, way: 3, them: 2, none: 1 }[sideOf(cause)];
  return [...new Set(causes)].sort((a, b) => weight(b) - weight(a));
}

function chipsOf(t: Translator, { queue, expired }: PicturedMessage): RowView['chips'] {
  const chips: { kind: string; text: string }[] = [];
  if (queue === 'hold') chips.push({ kind: 'off', text: t('queue.chip.hold') });
  if (queue === 'active') chips.push({ kind: 'info', text: t('queue.chip.active') });
  if (queue === 'incoming') chips.push({ kind: 'info', text: t('queue.chip.incoming') });
  if (queue === 'maildrop') chips.push({ kind: 'info', text: t('queue.chip.maildrop') });
  if (expired) chips.push({ kind: 'warn', text: t('queue.chip.expired') });
  return chips;
}

/** Until when it is tried. Seconds since 1970. */
function givenUpWords({ t, format, now }: ViewParts, last: number): string {
  const at = new Date(last * 1000);
  return at <= now ? t('queue.givenUpNext') : t('queue.givenUp', { when: format.moment(at) });
}

export function nextTryOf(
  t: Translator,
  format: Formats,
  { queue, nextTry }: Pick<PicturedMessage, 'queue' | 'nextTry'>,
  now: Date,
): string {
  if (queue === 'hold') return t('queue.next.held');
  if (queue !== 'deferred' || nextTry === 0) return t('queue.next.now');
  const at = new Date(nextTry * 1000);
  return at <= now ? t('queue.next.due') : format.soon(at);
}
