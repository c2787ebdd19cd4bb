/**
 * Looks at what waits in a mailbox, by fetchmail itself: it reads the messages, decides who gets them, and is told that
 * nothing is taken. So nobody guesses what fetchmail would do, and at the provider everything stays as it is, unread mail
 * unread (IMAP is read by PEEK, and a message that was not taken is neither marked nor deleted).
 */
import { fieldsOf, recipientHeaders, type HeaderSighting } from '../fetchmail/recipient-headers.js';
import { openDelivery } from './delivery.js';
import { listenLmtp, wordOf, type LmtpFiles, type LmtpServer } from './lmtp.js';
import { tellSender } from './sender.js';

/** Messages that are looked at. */
export const MAX_LOOKED = 20;
/** Bytes above which a message is not looked at: it would have to be read whole. */
export const MAX_LOOKED_BYTES = 1_000_000;
/** Recipients of a message, and characters of a line, that are told. */
const MAX_RECIPIENTS = 20;
const MAX_CHARS = 300;

/** What Postfix says of a recipient: it takes it, or not, so that others get it; or it was not asked. */
export type Fate = 'taken' | 'others' | 'unknown';

export interface LookedMessage {
  readonly from: string;
  readonly subject: string;
  readonly date: string;
  /** Empty: fetchmail found nobody. */
  readonly recipients: readonly { readonly address: string; readonly fate: Fate }[];
}

export interface Looked {
  readonly messages: readonly LookedMessage[];
  readonly headers: readonly HeaderSighting[];
}

export interface Look extends LmtpServer {
  looked(): Looked;
}

export interface LookWish {
  /** Where Postfix takes fetched mail; 0 where it does not yet. */
  readonly deliveryPort: number;
  /** What stands for those who get a message nobody is named in. */
  readonly fallback: string;
  /** Domains whose recipients are looked for in headers. */
  readonly domains: readonly string[];
}

const NOT_TAKEN = '451 4.7.1 Only looked at';

/** `enough` is called when no more is wanted. */
export async function openLook(order: LookWish & LmtpFiles, enough: () => void): Promise<Look> {
  const messages: LookedMessage[] = [];
  const headers: string[] = [];
  const server = await listenLmtp(order, () => {
    let delivery: Awaited<ReturnType<typeof openDelivery>> = null;
    let accepted = 0;
    let recipients: LookedMessage['recipients'][number][] = [];
    const fateOf = async (command: Buffer, address: string): Promise<Fate | null> => {
      if (address === order.fallback) return null;
      const reply = (await delivery?.ask(command)) ?? null;
      return reply === null ? 'unknown' : reply.startsWith('2') ? 'taken' : 'others';
    };
    return {
      open: async () => {
        delivery = order.deliveryPort === 0 ? null : await openDelivery(order.deliveryPort);
        return ['8BITMIME'];
      },
      envelope: async (command) => {
        const word = wordOf(command);
        if (word !== 'RCPT') {
          accepted = 0;
          recipients = [];
          const ask = async (one: Buffer): Promise<string> => (await delivery?.ask(one)) ?? '';
          await (word === 'MAIL' ? tellSender(command, ask) : ask(command));
          return '250 2.0.0 Ok';
        }
        accepted += 1;
        const address = addressOf(command);
        const fate = await fateOf(command, address);
        if (fate !== null && recipients.length < MAX_RECIPIENTS) recipients.push({ address, fate });
        return '250 2.1.5 Ok';
      },
      recipients: () => accepted,
      message: (message) => {
        if (messages.length < MAX_LOOKED) {
          headers.push(message.header);
          messages.push({ ...readHeader(message.header), recipients });
        }
        if (messages.length === MAX_LOOKED) enough();
        recipients = [];
        return Promise.resolve(NOT_TAKEN);
      },
      close: () => delivery?.close(),
    };
  });
  return {
    ...server,
    looked: () => ({ messages, headers: recipientHeaders(headers, order.domains) }),
  };
}

function addressOf(command: Buffer): string {
  const [, address = ''] = /<(.*)>/.exec(command.toString('utf8')) ?? [];
  return shown(address);
}

function readHeader(header: string): Pick<LookedMessage, 'from' | 'subject' | 'date'> {
  const fields = fieldsOf(header);
  const value = (wanted: string): string =>
    shown(fields.find(({ name }) => name.toLowerCase() === wanted)?.value ?? '');
  return { from: value('from'), subject: value('subject'), date: value('date') };
}

function shown(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ').slice(0, MAX_CHARS);
}
