/** One message of the queue in words. */
import { classify } from './classify.js';
import {
  actionsFor,
  adviceOf,
  byWeight,
  nextTryOf,
  type ActionView,
  type Advice,
  type ViewParts,
} from './list-view.js';
import { readMessage } from './reading.js';
import { safeLine, safeText } from './safe-text.js';
import type { LookedAt, ShownMessage, ShownRecipient } from './schema.js';
import { givenUpAt } from './service.js';

/** Headers shown above the text, in this order; the others are folded. */
const MAIN_HEADERS = ['from', 'to', 'cc', 'reply-to', 'date'];

export interface RecipientView {
  readonly address: string;
  readonly original: string;
  readonly settled: boolean;
  readonly state: string;
  readonly reason: string;
  readonly words: string;
  /** Where the way of mail to this address is told. */
  readonly routeHref: string;
}

export interface MessageView {
  readonly id: string;
  readonly title: string;
  readonly lead: string;
  readonly facts: readonly { readonly label: string; readonly value: string }[];
  readonly recipients: readonly RecipientView[];
  readonly moreRecipients: number;
  /** Advice on every different cause, what the administrator can put right first. */
  readonly advice: readonly Advice[];
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly otherHeaders: readonly { readonly name: string; readonly value: string }[];
  readonly text: string;
  /** Where the text comes from. */
  readonly sourceWords: string;
  readonly cut: boolean;
  readonly attachments: readonly {
    readonly name: string;
    readonly type: string;
    readonly size: string;
  }[];
  readonly size: string;
  readonly actions: readonly ActionView[];
  readonly log: readonly string[];
}

export async function viewMessage(
  parts: ViewParts,
  message: ShownMessage,
  log: LookedAt['log'],
): Promise<MessageView> {
  const { t, format } = parts;
  const read = await readMessage(message);
  const { envelope } = message;
  const recipients = envelope.recipients.map((recipient) => viewRecipient(parts, recipient));
  const causes = byWeight(
    envelope.recipients.filter(({ settled }) => !settled).map(({ reason }) => classify(reason)),
  ).filter((cause) => cause !== 'notTried' && message.queue !== 'hold');
  const main = MAIN_HEADERS.flatMap((name) =>
    read.headers.filter((header) => header.name.toLowerCase() === name),
  );
  return {
    id: message.id,
    title: read.subject === '' ? t('queue.show.noSubject') : read.subject,
    lead: leadOf(parts, message),
    facts: factsOf(parts, message),
    recipients,
    moreRecipients: envelope.moreRecipients,
    advice: causes.map((cause) => adviceOf(parts, cause)),
    headers: main,
    otherHeaders: read.headers.filter((header) => !main.includes(header)),
    text: read.text,
    sourceWords: t(`queue.text.${read.source}`),
    cut: read.cut,
    attachments: read.attachments.map(({ name, type, bytes }) => ({
      name,
      type,
      size: bytes === null ? '' : t('queue.show.about', { size: format.bytes(bytes) }),
    })),
    size: format.bytes(message.bytes),
    actions: actionsFor(t, message.queue),
    log: viewLog(log),
  };
}

export function viewLog(log: LookedAt['log']): readonly string[] {
  return log.map((line) => safeText(line));
}

function leadOf({ t, format, now }: ViewParts, { queue, envelope }: ShownMessage): string {
  const arrival = new Date(envelope.arrival * 1000);
  const age = format.duration(now.getTime() - arrival.getTime());
  return t(`queue.show.lead.${queue}`, { age, when: format.moment(arrival) });
}

function factsOf({ t, format, now }: ViewParts, message: ShownMessage): MessageView['facts'] {
  const { envelope, queue, schedule } = message;
  const facts: { label: string; value: string }[] = [];
  const add = (name: string, value: string): void => {
    if (value !== '') facts.push({ label: t(`queue.fact.${name}`), value });
  };
  add('id', message.id);
  add('queue', t(`queue.in.${queue}`));
  add('sender', envelope.sender === '' ? t('queue.nullSender') : safeLine(envelope.sender));
  add('from', clientOf(t, envelope));
  add('arrival', format.moment(new Date(envelope.arrival * 1000)));
  if (envelope.created > envelope.arrival) {
    add('created', format.moment(new Date(envelope.created * 1000)));
  }
  add('size', format.bytes(message.bytes));
  add('next', nextTryOf(t, format, message, now));
  const last = givenUpAt({ queue, created: envelope.created, sender: envelope.sender }, schedule);
  add(
    'givenUp',
    last === null
      ? ''
      : t(envelope.sender === '' ? 'queue.givenUpSilently' : 'queue.givenUpThen', {
          when: format.moment(new Date(last * 1000)),
        }),
  );
  const { minimalBackoff, maximalBackoff } = schedule;
  if (queue === 'deferred') {
    const [least, most] = [minimalBackoff, maximalBackoff].map((s) => format.duration(s * 1000));
    add('backoff', t('queue.fact.backoffValue', { least: least ?? '', most: most ?? '' }));
  }
  return facts;
}

function clientOf(
  t: ViewParts['t'],
  { clientName, clientAddress, login }: ShownMessage['envelope'],
): string {
  if (clientAddress === '') return t('queue.fact.ownProgram');
  const known = clientName !== '' && clientName !== 'unknown';
  const client = known ? `${safeLine(clientName)} [${clientAddress}]` : `[${clientAddress}]`;
  return login === '' ? client : t('queue.fact.login', { client, login: safeLine(login) });
}

function viewRecipient({ t, pageOf }: ViewParts, recipient: ShownRecipient): RecipientView {
  const { address, original, settled, reason } = recipient;
  const route = pageOf('/route');
  return {
    address: safeLine(address),
    original: safeLine(original),
    settled,
    state: t(settled ? 'queue.show.settled' : 'queue.show.waits'),
    reason: settled ? '' : t(`queue.cause.${classify(reason)}.title`),
    words: safeLine(reason),
    routeHref: route === '' ? '' : `${route}?${new URLSearchParams({ address }).toString()}`,
  };
}
