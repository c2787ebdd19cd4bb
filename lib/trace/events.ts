/** What a line of the log says, in the terms of mail. Pure; what is not understood is `other`. */
import { idsOf } from './links.js';
import type { LogLine } from './schema.js';

/** Who handed a mail in, or tried to. */
export interface Client {
  /** '' when its name is not known. */
  readonly name: string;
  /** '' when it is this machine itself. */
  readonly address: string;
}

export type DeliveryStatus = 'sent' | 'deferred' | 'bounced' | 'expired' | 'checked';

export type MailEvent = { readonly at: number; readonly id: string } & (
  | {
      readonly kind: 'received';
      readonly client: Client;
      readonly login: string;
      /** The listener, as it calls itself in the log: `submission`, `fetchmail`; '' for port 25. */
      readonly service: string;
      /** The id it had before a filter on this machine handed it back; '' for a new mail. */
      readonly before: string;
    }
  | {
      readonly kind: 'submitted';
      readonly uid: string;
      readonly sender: string;
      readonly before: string;
    }
  | { readonly kind: 'messageId'; readonly messageId: string }
  | {
      readonly kind: 'queued';
      readonly sender: string;
      /** Bytes. */
      readonly size: number;
      readonly recipients: number;
    }
  | {
      readonly kind: 'delivery';
      readonly status: DeliveryStatus;
      readonly recipient: string;
      /** Before aliases; '' when it is the same. */
      readonly original: string;
      /** Such as `mx.example.net[192.0.2.1]:25`, `local`, `none`. */
      readonly relay: string;
      /** The delivery agent: `smtp`, `lmtp`, `local`, `virtual`, `pipe`, `error`, `discard`. */
      readonly agent: string;
      /** What was said, or what was done with it. */
      readonly reply: string;
      /** Seconds from its arrival. */
      readonly delay: number;
      /** The id it goes on under; '' when this is its end. */
      readonly next: string;
    }
  | { readonly kind: 'expired'; readonly forced: boolean }
  | {
      readonly kind: 'notice';
      readonly about: 'failure' | 'delay' | 'success';
      readonly next: string;
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'noted'; readonly action: NotedAction; readonly text: string }
  | { readonly kind: 'scanned'; readonly verdict: Verdict }
  | { readonly kind: 'held' | 'released' | 'requeued' | 'deleted' | 'removed' }
  | { readonly kind: 'other'; readonly text: string }
);

/** What a rule of ours did without turning the mail away. */
export type NotedAction = 'hold' | 'discard' | 'redirect' | 'warn' | 'filter';

export interface Refusal {
  readonly client: Client;
  /** `CONNECT`, `HELO`, `MAIL`, `RCPT`, `DATA`, `END-OF-MESSAGE`, ... */
  readonly stage: string;
  /** With its codes: `450 4.2.0 <a@b>: Recipient address rejected: Greylisted`. */
  readonly reply: string;
  readonly sender: string | null;
  readonly recipient: string | null;
  readonly helo: string;
  /** It was only noted (warn_if_reject), the mail went on. */
  readonly warning: boolean;
  /** Who said so: `smtpd`, `postscreen`, `cleanup`, `milter`. */
  readonly by: string;
}

/** What amavis says of one mail. */
export interface Verdict {
  /** Such as `INFECTED`, `SPAM`, `BANNED`, `CLEAN`. */
  readonly category: string;
  readonly passed: boolean;
  /** The name of the virus, or of the file; '' without one. */
  readonly what: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly quarantine: string;
  readonly next: string;
}

const CLIENT = /(\S*?)\[([^\]]*)\](?::\d+)?/;
const RECEIVED = new RegExp(String.raw`^(\S+): client=${CLIENT.source}(?=,|$)`);
const LOGIN = /, sasl_username=(.*?)(?:, sasl_sender=.*)?(?:, orig_queue_id=.*)?$/;
const BEFORE = /, orig_queue_id=([0-9A-Za-z]+)/;
const SUBMITTED = /^\S+: uid=(\d+) from=<(.*)>(?: orig_id=([0-9A-Za-z]+))?$/;
const MESSAGE_ID = /^\S+: (?:resent-)?message-id=<?(.*?)>?$/;
const QUEUED = /^\S+: from=<(.*)>, size=(\d+), nrcpt=(\d+) \(queue active\)/;
const EXPIRED = /^\S+: from=<.*>, status=(force-)?expired, returned to sender$/;
const DELIVERY =
  /^\S+: to=<(.*?)>, (?:orig_to=<(.*?)>, )?relay=([^,]*), (?:conn_use=\d+, )?delay=([\d.]+), delays=[\d./]+, dsn=[\d.]*, status=(\S+) \((.*)\)$/s;
const NOTICE =
  /^\S+: (sender (?:non-delivery|delay|delivery status)|postmaster (?:non-delivery|delay)) notification: ([0-9A-Za-z]+)$/;
const REFUSED = new RegExp(
  String.raw`^\S+: ((?:milter-)?reject(?:_warning)?|proxy-reject): (.*?) from ${CLIENT.source}[:;] (.*)$`,
  's',
);
/** A mail that grew beyond the limit while it was sent. */
const TOO_LARGE = /^warning: \S+: queue file size limit exceeded$/;
const NOTED =
  /^\S+: (?:warning: )?(hold|discard|redirect|warn|filter|warning|replace|prepend): (.*)$/s;
/**
 * The end of a refusal, part by part. A stranger chooses most of it: each pattern goes through the text once, where a
 * single one for all would try every place against every other.
 */
const SENDER_PART = /^; from=<(.*?)>(?=,? (?:to=<|proto=|helo=<|sasl_)|: |,?$)/s;
const RECIPIENT_PART = /^,? to=<(.*?)>(?=,? (?:proto=|helo=<|sasl_)|: |,?$)/s;
const HELO_PART = /[ ,]helo=<(.*?)(?:>(?: sasl_\w+=\S+)*)?$/s;
const SHORT_TAIL = /; proto=\S+(?: sasl_\w+=\S+)*(?: helo=<(.*?)>)?$/s;
const CLEANUP_END = /^(?: proto=\S+)?(?: helo=<(.*?)>(?=: ))?: (.*)$/s;
const SCANNED = /^\([^)]*\) (Passed|Blocked) ([A-Z-]+)(?:\d)?(?: \((.*?)\))? \{[^}]*\}, (.*)$/s;
const ENVELOPE = /<([^<>]*)> -> (<[^<>]*>(?:,<[^<>]*>)*)/;

export function eventOf(line: LogLine): MailEvent {
  const { at, program, text } = line;
  const { own: id, linked } = idsOf(line);
  const base = { at, id };
  const agent = program.slice(program.lastIndexOf('/') + 1);
  if (program.startsWith('amavis')) return scanned(line, id, linked[0] ?? '');
  switch (agent) {
    case 'smtpd':
    case 'qmqpd': {
      const received = RECEIVED.exec(text);
      if (received) {
        return {
          ...base,
          kind: 'received',
          client: clientOf(received[2], received[3]),
          login: LOGIN.exec(text)?.[1] ?? '',
          service: serviceOf(program),
          before: BEFORE.exec(text)?.[1] ?? '',
        };
      }
      break;
    }
    case 'pickup': {
      const submitted = SUBMITTED.exec(text);
      if (submitted) {
        const [, uid = '', sender = '', before = ''] = submitted;
        return { ...base, kind: 'submitted', uid, sender, before };
      }
      break;
    }
    case 'cleanup': {
      const named = MESSAGE_ID.exec(text);
      if (named) return { ...base, kind: 'messageId', messageId: named[1] ?? '' };
      break;
    }
    case 'qmgr': {
      const queued = QUEUED.exec(text);
      if (queued) {
        const [, sender = '', size, recipients] = queued;
        return {
          ...{ ...base, kind: 'queued', sender },
          ...{ size: Number(size), recipients: Number(recipients) },
        };
      }
      const expired = EXPIRED.exec(text);
      if (expired) return { ...base, kind: 'expired', forced: expired[1] !== undefined };
      if (text === `${id}: removed`) return { ...base, kind: 'removed' };
      break;
    }
    case 'bounce': {
      const notice = NOTICE.exec(text);
      if (notice) return { ...base, kind: 'notice', ...aboutOf(notice) };
      break;
    }
    case 'postsuper':
      return { ...base, ...handled(text.slice(id.length + 2)) };
  }
  const delivery = DELIVERY.exec(text);
  if (delivery && agent !== 'smtpd') return { ...base, ...deliveryOf(delivery, agent, linked) };
  const refusal = refusalOf(line);
  if (refusal !== null) return { ...base, kind: 'refused', refusal };
  const noted = NOTED.exec(text);
  if (noted) {
    const [, word = '', said = ''] = noted;
    const action = NOTED_ACTIONS.find((name) => name === word) ?? 'warn';
    return { ...base, kind: 'noted', action, text: said };
  }
  return { ...base, kind: 'other', text: id === '' ? text : text.slice(text.indexOf(': ') + 2) };
}

const NOTED_ACTIONS: readonly NotedAction[] = ['hold', 'discard', 'redirect', 'warn', 'filter'];

function clientOf(name = '', address = ''): Client {
  const known = name !== 'unknown' && name !== '' ? name : '';
  return { name: known, address: address === 'unknown' ? '' : address.replace(/^IPv6:/, '') };
}

/** `postfix/submission/smtpd` is the listener `submission`; the first part is Postfix' own name. */
function serviceOf(program: string): string {
  return program.split('/').slice(1, -1).join('/');
}

function aboutOf([, words = '', next = '']: RegExpExecArray): {
  readonly about: 'failure' | 'delay' | 'success';
  readonly next: string;
} {
  const about = words.includes('delay')
    ? 'delay'
    : words.includes('status')
      ? 'success'
      : 'failure';
  return { about, next };
}

/** What postsuper(1) did on somebody's behalf. */
function handled(
  text: string,
):
  | { readonly kind: 'held' | 'released' | 'requeued' | 'deleted' }
  | { kind: 'other'; text: string } {
  if (text.startsWith('placed on hold')) return { kind: 'held' };
  if (text.startsWith('released from hold')) return { kind: 'released' };
  if (text.startsWith('requeued')) return { kind: 'requeued' };
  return text.startsWith('removed') ? { kind: 'deleted' } : { kind: 'other', text };
}

function deliveryOf(
  [, recipient = '', original = '', relay = '', delay, word = '', reply = '']: RegExpExecArray,
  agent: string,
  linked: readonly string[],
): Extract<MailEvent, { kind: 'delivery' }> extends infer Whole ? Omit<Whole, 'at' | 'id'> : never {
  const statuses: Readonly<Record<string, DeliveryStatus>> = {
    sent: 'sent',
    deferred: 'deferred',
    SOFTBOUNCE: 'deferred',
    bounced: 'bounced',
    expired: 'expired',
  };
  return {
    kind: 'delivery',
    // What `sendmail -bv` asks is no delivery: deliverable, undeliverable.
    status: statuses[word] ?? 'checked',
    recipient,
    original: original === recipient ? '' : original,
    relay,
    agent,
    reply,
    delay: Number(delay),
    next: linked[0] ?? '',
  };
}

/** What turned a mail away, or would have; null for any other line. */
export function refusalOf({ program, text }: LogLine): Refusal | null {
  if (TOO_LARGE.test(text))
    return { ...NOBODY, reply: '552 5.3.4 Message size exceeds fixed limit' };
  const refused = REFUSED.exec(text);
  if (!refused) return null;
  const [, word = '', stage = '', name, address, rest = ''] = refused;
  const by = word.startsWith('milter') ? 'milter' : program.slice(program.lastIndexOf('/') + 1);
  const told = by === 'cleanup' || by === 'milter' ? cleanupReply(rest) : smtpdReply(rest);
  // cleanup(8) names the header it found before the client.
  const header = by === 'cleanup' ? stage : '';
  return {
    client: clientOf(name, address),
    stage: header === '' ? stage : 'DATA',
    ...told,
    reply: header === '' ? told.reply : `${told.reply} (${header})`,
    warning: word.endsWith('_warning'),
    by,
  };
}

const NOBODY: Refusal = {
  client: { name: '', address: '' },
  stage: 'DATA',
  reply: '',
  sender: null,
  recipient: null,
  helo: '',
  warning: false,
  by: 'smtpd',
};

type Told = Pick<Refusal, 'reply' | 'sender' | 'recipient' | 'helo'>;

/** `450 4.7.1 words; from=<a> to=<b> proto=ESMTP helo=<c>`. The words may hold anything: the tail is read from the end. */
function smtpdReply(rest: string): Told {
  const start = rest.lastIndexOf('; from=<');
  const envelope = start < 0 ? null : envelopeOf(rest.slice(start));
  if (envelope) {
    const { sender, recipient, after } = envelope;
    const helo = HELO_PART.exec(after)?.[1] ?? '';
    return { reply: rest.slice(0, start), sender, recipient, helo };
  }
  const short = SHORT_TAIL.exec(rest);
  return {
    reply: short ? rest.slice(0, short.index) : rest,
    sender: null,
    recipient: null,
    helo: short?.[1] ?? '',
  };
}

/** `; from=<a> to=<b>` and what stands behind that; null for another beginning. */
function envelopeOf(
  text: string,
): { readonly sender: string; readonly recipient: string | null; readonly after: string } | null {
  const sender = SENDER_PART.exec(text);
  if (!sender) return null;
  const behind = text.slice(sender[0].length);
  const recipient = RECIPIENT_PART.exec(behind);
  return {
    sender: sender[1] ?? '',
    recipient: recipient?.[1] ?? null,
    after: recipient ? behind.slice(recipient[0].length) : behind,
  };
}

/** `from=<a> to=<b> proto=ESMTP helo=<c>: words` after the header, or the words first from a milter. */
function cleanupReply(rest: string): Told {
  const envelope = envelopeOf(`; ${rest}`);
  const end = envelope ? CLEANUP_END.exec(envelope.after) : null;
  if (envelope && end) {
    const { sender, recipient } = envelope;
    return { reply: end[2] ?? '', sender, recipient, helo: end[1] ?? '' };
  }
  return smtpdReply(rest);
}

function scanned({ at, text }: LogLine, id: string, next: string): MailEvent {
  const match = SCANNED.exec(text);
  if (!match) return { at, id, kind: 'other', text };
  const [, word, category = '', what = '', rest = ''] = match;
  const [, sender = '', recipients = ''] = ENVELOPE.exec(rest) ?? [];
  return {
    at,
    id,
    kind: 'scanned',
    verdict: {
      category,
      passed: word === 'Passed',
      what,
      sender,
      recipients: recipients.split(',').map((one) => one.slice(1, -1)),
      quarantine: /, quarantine: ([^,\s]+)/.exec(rest)?.[1] ?? '',
      next,
    },
  };
}
