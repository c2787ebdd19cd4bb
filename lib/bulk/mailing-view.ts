/** Mailings in words: their state, how far they are, what became of each recipient's message. */
import { displayAddress } from '../aliases/address.js';
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import type { Attachment } from './attachment-store.js';
import type { Recipient, RecipientCounts } from './recipient-store.js';
import type { LeftOut } from './recipients.js';
import { LEFT_OUT_REASONS } from './recipients.js';
import { FAILED_STATES, messageIdOf, type RecipientState } from './schema.js';
import type { Listed, Progress } from './service.js';
import type { Mailing } from './store.js';
import { blocksOf, plainTemplate, spansOf, type Addressee } from './template.js';

export interface ViewParts {
  readonly t: Translator;
  readonly format: Formats;
  /** Address of the list. */
  readonly path: string;
}

export type Kind = 'ok' | 'warn' | 'bad' | 'info' | 'off';

/** What the filter of the results offers, with the states that each one shows. */
export const RESULT_GROUPS = {
  all: [
    ...(['waiting', 'sending', 'checking', 'doubtful', 'accepted', 'deferred'] as const),
    ...(['delivered', 'refused', 'bounced', 'deleted', 'unsent'] as const),
  ],
  delivered: ['delivered'],
  taken: ['accepted'],
  deferred: ['deferred'],
  failed: FAILED_STATES,
  doubtful: ['doubtful', 'checking'],
  open: ['waiting', 'sending'],
  leftOut: ['leftOut'],
} as const satisfies Readonly<Record<string, readonly RecipientState[]>>;
export type ResultGroup = keyof typeof RESULT_GROUPS;

export function countGroup(counts: RecipientCounts, group: ResultGroup): number {
  return RESULT_GROUPS[group].reduce((sum, state) => sum + counts[state], 0);
}

const STATE_KINDS: Readonly<Record<RecipientState, Kind>> = {
  leftOut: 'off',
  waiting: 'off',
  sending: 'info',
  checking: 'info',
  doubtful: 'warn',
  accepted: 'info',
  deferred: 'warn',
  delivered: 'ok',
  refused: 'bad',
  bounced: 'bad',
  deleted: 'bad',
  unsent: 'off',
};

export interface ListedView {
  readonly href: string;
  readonly subject: string;
  readonly state: { readonly kind: Kind; readonly text: string };
  readonly result: string;
  readonly who: string;
  readonly when: string;
}

export function viewListed(parts: ViewParts, { mailing, counts }: Listed): ListedView {
  const { t, format, path } = parts;
  return {
    href: `${path}/${mailing.id}`,
    subject: mailing.subject,
    state: stateOf(t, mailing, counts),
    result: mailing.state === 'draft' ? '' : resultOf(t, counts),
    who: mailing.actor,
    when: format.moment(mailing.startedAt ?? mailing.changedAt),
  };
}

function stateOf(t: Translator, { state, trouble }: Mailing, counts: RecipientCounts) {
  const failed = countGroup(counts, 'failed') + counts.doubtful;
  const kinds = { draft: 'off', paused: 'warn', cancelled: 'off' } as const;
  const kind =
    state === 'running'
      ? trouble === null
        ? 'info'
        : 'warn'
      : state === 'done'
        ? failed > 0
          ? 'warn'
          : 'ok'
        : kinds[state];
  return { kind, text: t(`bulk.state.${state}`) } as const;
}

function resultOf(t: Translator, counts: RecipientCounts): string {
  const total = countGroup(counts, 'all');
  const sent = countGroup(counts, 'delivered') + counts.accepted + counts.deferred;
  const failed = counts.refused + counts.bounced + counts.deleted;
  return t('bulk.result', { sent, total, failed });
}

export interface ProgressView {
  readonly href: string;
  readonly state: Mailing['state'];
  readonly kind: Kind;
  readonly title: string;
  /** Sentences, one for each outcome. */
  readonly sentences: readonly string[];
  readonly done: number;
  readonly total: number;
  readonly trouble: {
    readonly title: string;
    readonly text: string;
    readonly reply: string;
  } | null;
  /** It changes by itself. */
  readonly live: boolean;
  readonly doubtful: number;
  readonly canSendAgain: boolean;
}

export function viewProgress(
  { t, format, path }: ViewParts,
  { mailing, counts, perSecond }: Progress,
): ProgressView {
  const total = countGroup(counts, 'all');
  const open = counts.waiting + counts.sending + counts.checking;
  const done = total - open - counts.unsent;
  const counted = (name: string, count: number): string[] =>
    count > 0 ? [t(name, { count })] : [];
  const running = mailing.state === 'running';
  const pace = running && mailing.trouble === null && open > 0 && perSecond > 0;
  const { state, trouble } = mailing;
  const following = counts.accepted + counts.deferred + counts.checking > 0;
  return {
    href: `${path}/${mailing.id}`,
    state,
    kind: stateOf(t, mailing, counts).kind,
    title: t(`bulk.progress.${state}`, { done: format.number(done), total }),
    sentences: [
      ...(pace
        ? [
            t('bulk.pace', {
              count: Math.max(1, Math.round(perSecond * 60)),
              left: format.duration((open / perSecond) * 1000),
            }),
          ]
        : []),
      ...counted('bulk.outcome.delivered', counts.delivered),
      ...counted('bulk.outcome.accepted', counts.accepted),
      ...counted('bulk.outcome.deferred', counts.deferred),
      ...counted('bulk.outcome.refused', counts.refused),
      ...counted('bulk.outcome.bounced', counts.bounced),
      ...counted('bulk.outcome.deleted', counts.deleted),
      ...counted('bulk.outcome.checking', counts.checking),
      ...counted('bulk.outcome.unsent', counts.unsent),
      ...counted('bulk.outcome.leftOut', counts.leftOut),
    ],
    done,
    total,
    trouble:
      trouble === null
        ? null
        : {
            title: t(`bulk.trouble.${trouble.kind}`),
            text: t(`bulk.trouble.${trouble.kind}.text`, {
              since: format.moment(new Date(trouble.since)),
            }),
            reply: trouble.reply,
          },
    live: running || (state !== 'draft' && following && isFresh(mailing)),
    doubtful: counts.doubtful,
    canSendAgain: !running && state !== 'paused' && countGroup(counts, 'failed') > 0,
  };
}

/** What becomes of messages is mostly known within minutes of the end. */
const FRESH_MS = 5 * 60_000;

function isFresh({ finishedAt }: Mailing): boolean {
  return finishedAt !== null && Date.now() - finishedAt.getTime() < FRESH_MS;
}

export interface RecipientView {
  readonly no: number;
  readonly name: string;
  readonly address: string;
  readonly state: { readonly kind: Kind; readonly text: string };
  readonly reply: string;
  readonly queueId: string;
  /** Where the message is, while it waits in the queue; '' otherwise. */
  readonly queueHref: string;
  readonly traceHref: string;
  readonly when: string;
}

export function viewRecipient(
  { t, format }: ViewParts,
  recipient: Recipient,
  mailing: Pick<Mailing, 'key' | 'secret' | 'sender'>,
  links: { readonly queue: string; readonly trace: string },
): RecipientView {
  const { no, name, address, state, reply, queueId, sentAt } = recipient;
  const inQueue = queueId !== '' && ['accepted', 'deferred'].includes(state);
  const [reason = '', detail = ''] = reply.split(' ');
  const known = LEFT_OUT_REASONS.some((one) => one === reason);
  return {
    no,
    name,
    address: displayAddress(address),
    state: { kind: STATE_KINDS[state], text: t(`bulk.recipient.${state}`) },
    reply: state === 'leftOut' && known ? t(`bulk.leftOut.${reason}`, { detail }) : reply,
    queueId,
    queueHref: inQueue ? `${links.queue}/${queueId}` : '',
    traceHref:
      queueId === '' || links.trace === ''
        ? ''
        : `${links.trace}?${new URLSearchParams({ messageId: idOf(mailing, no) }).toString()}`,
    when: sentAt === null ? '' : format.moment(sentAt),
  };
}

function idOf(mailing: Pick<Mailing, 'key' | 'secret' | 'sender'>, no: number): string {
  const { sender } = mailing;
  return messageIdOf(mailing, no, sender.slice(sender.lastIndexOf('@') + 1));
}

/** Who is left out, by reason. */
export function viewLeftOut(t: Translator, leftOut: readonly LeftOut[]) {
  return LEFT_OUT_REASONS.map((reason) => {
    const people = leftOut.filter((one) => one.reason === reason);
    return {
      title: t(`bulk.leftOut.${reason}.count`, { count: people.length }),
      people: people.map(({ login, name, detail }) => ({
        login,
        name: name === login ? '' : name,
        detail: detail === '' ? '' : t(`bulk.leftOut.${reason}`, { detail }),
      })),
    };
  }).filter(({ people }) => people.length > 0);
}

/** The message as this person gets it, in pieces that a view puts into elements. */
export function viewMessage(
  mailing: Mailing,
  attachments: readonly Attachment[],
  addressee: Addressee,
  format: Formats,
) {
  const fill = (text: string): string => plainTemplate(text)(addressee);
  return {
    from: displayAddress(mailing.sender),
    fromName: mailing.senderName,
    to: addressee.name,
    toAddress: displayAddress(addressee.address),
    subject: fill(mailing.subject),
    formatted: mailing.formatted,
    text: mailing.formatted ? '' : fill(mailing.body),
    blocks: mailing.formatted
      ? blocksOf(mailing.body).map((block) => ({
          kind: block.kind,
          lines: linesOf(block).map((line) =>
            spansOf(line).map(({ kind, text }) => ({ kind, text: fill(text) })),
          ),
        }))
      : [],
    attachments: attachments.map(({ name, size }) => ({ name, size: format.bytes(size) })),
  };
}

function linesOf(block: ReturnType<typeof blocksOf>[number]): readonly string[] {
  if (block.kind === 'list') return block.items;
  return block.kind === 'heading' ? [block.text] : block.lines;
}
