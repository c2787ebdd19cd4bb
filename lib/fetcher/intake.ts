/**
 * The way of a message from fetchmail into Postfix, over a unix socket nobody else can reach. fetchmail alone would
 * deliver a message again when it is killed, or its line drops, after Postfix took it and before the provider heard of
 * it. Here what was handed over is noted on disk (`journal.ts`), and what comes again is taken as done.
 */
import { NO_ANSWER } from './classify.js';
import { openDelivery, type Delivery } from './delivery.js';
import type { Journal } from './journal.js';
import { lastLine, listenLmtp, wordOf, type LmtpFiles, type LmtpServer } from './lmtp.js';
import type { Message } from './message.js';
import { tellSender } from './sender.js';

export interface Intake extends LmtpServer {
  /** Messages Postfix took, and messages that came again. */
  counts(): { readonly taken: number; readonly again: number };
  /** Answers of Postfix that were a no, as it gave them; `NO_ANSWER` where it gave none. */
  refusals(): readonly string[];
  /** Message-IDs of those that may be here twice. */
  maybeTwice(): readonly string[];
}

interface Tally {
  taken: number;
  again: number;
  readonly refusals: string[];
  readonly maybeTwice: string[];
}

/** Who gets the mail of a query. */
export interface People {
  /**
   * Stands for them. It also gets what has no recipient here: refused, that would wait at the provider and come again each
   * time.
   */
  readonly address: string;
  /** Those of whom Postfix can say whether they are there. */
  readonly behind: readonly string[];
}

export async function openIntake(
  files: LmtpFiles,
  journal: Journal,
  deliveryPort: number,
  people: People,
): Promise<Intake> {
  const tally: Tally = { taken: 0, again: 0, refusals: [], maybeTwice: [] };
  const server = await listenLmtp(files, () => {
    const way = createWay(deliveryPort, people);
    return {
      open: async () => (await way.open())?.offers ?? null,
      envelope: async (command) => {
        const reply = await way.envelope(command);
        if (isNo(reply)) tally.refusals.push(lastLine(reply));
        return reply;
      },
      recipients: () => way.recipients(),
      message: (message) => handOver(message, { way, journal, tally }),
      close: () => way.close(),
    };
  });
  return {
    ...server,
    counts: () => ({ taken: tally.taken, again: tally.again }),
    refusals: () => tally.refusals,
    maybeTwice: () => tally.maybeTwice,
  };
}

/**
 * The envelope of one message after the other. Postfix does not wait for a slow provider: when it hung up while the
 * message came in, or was started anew, it is told the envelope again.
 */
interface Way {
  open(): Promise<Delivery | null>;
  /** The answer to MAIL, RCPT and the like. */
  envelope(command: Buffer): Promise<string>;
  recipients(): number;
  /** Ready for the message: the connection, or the answer that was a no. */
  ready(): Promise<Delivery | string>;
  /** This message is done, whatever became of it. */
  done(): void;
  close(): void;
}

function createWay(port: number, { address, behind }: People): Way {
  let delivery: Delivery | null = null;
  let told: Buffer[] = [];
  let recipients = 0;
  let fallenBack: string | null = null;
  let putOff: string | null = null;
  let missing: Promise<string | null> | null = null;

  const reopen = async (): Promise<Delivery | null> => {
    delivery?.close();
    delivery = await openDelivery(port);
    return delivery;
  };
  const ask = async (command: Buffer): Promise<string> => {
    const reply = (await delivery?.ask(command)) ?? null;
    if (reply !== null) return reply;
    // All that was said so far, once more: only a message that has its last line can be there twice.
    if ((await reopen()) === null) return NO_ANSWER;
    for (const one of told) {
      const again = (await delivery?.ask(one)) ?? NO_ANSWER;
      if (!again.startsWith('2')) return again;
    }
    return (await delivery?.ask(command)) ?? NO_ANSWER;
  };
  const tell = async (command: Buffer): Promise<string> => {
    const reply = await ask(command);
    if (reply.startsWith('2')) told.push(command);
    return reply;
  };
  /** When everybody behind it is gone, mail that was taken would only be sent back to those who wrote it. */
  const tellPeople = async (): Promise<string> => {
    missing ??= refusalOfAll(port, behind);
    return (await missing) ?? tell(Buffer.from(`RCPT TO:<${address}>`));
  };
  const begin = (): void => {
    told = [];
    recipients = 0;
    fallenBack = null;
    putOff = null;
  };

  return {
    open: reopen,
    async envelope(command) {
      const word = wordOf(command);
      if (word === 'RSET' || word === 'MAIL') begin();
      if (word === 'MAIL') return tellSender(command, tell);
      if (word !== 'RCPT') return ask(command);
      const isPeople = command.includes(`<${address}>`);
      let reply = isPeople ? await tellPeople() : await tell(command);
      if (reply.startsWith('5') && !isPeople) {
        fallenBack ??= await tellPeople();
        if (fallenBack.startsWith('2')) reply = '250 2.1.5 Somebody else gets it';
      }
      if (reply.startsWith('2')) recipients += 1;
      if (reply.startsWith('4')) putOff = lastLine(reply);
      return reply;
    },
    recipients: () => recipients,
    async ready() {
      // fetchmail is content with the others, and would not bring it again for the one who has to wait.
      if (putOff !== null) return putOff;
      const reply = await ask(Buffer.from('DATA'));
      if (!reply.startsWith('3') || delivery === null) return lastLine(reply);
      return delivery;
    },
    done: begin,
    close: () => delivery?.close(),
  };
}

/** What Postfix says of somebody who has no mailbox and no alias (RFC 3463 3.2). */
const UNKNOWN = /^5\d\d[ -]5\.1\.[01] /;

/** The answer for the last of these when Postfix knows none of them; null as long as anybody may be there. */
async function refusalOfAll(port: number, people: readonly string[]): Promise<string | null> {
  if (people.length === 0) return null;
  const delivery = await openDelivery(port);
  if (delivery === null) return null;
  try {
    if ((await delivery.ask(Buffer.from('MAIL FROM:<>')))?.startsWith('2') !== true) return null;
    let refusal: string | null = null;
    for (const person of people) {
      refusal = await delivery.ask(Buffer.from(`RCPT TO:<${person}>`));
      if (refusal === null || !UNKNOWN.test(refusal)) return null;
    }
    return refusal;
  } finally {
    delivery.close();
  }
}

interface Session {
  readonly way: Way;
  readonly journal: Journal;
  readonly tally: Tally;
}

/** Gives it to Postfix, unless Postfix has it. The answer for fetchmail. */
async function handOver(message: Message, { way, journal, tally }: Session): Promise<string> {
  const { digest, messageId } = message;
  const known = journal.recall(digest);
  if (known === 'taken') {
    tally.again += 1;
    await way.envelope(Buffer.from('RSET'));
    return '250 2.0.0 It came before';
  }
  const reply = await deliver(message, way, journal);
  way.done();
  if (isNo(reply)) {
    tally.refusals.push(reply);
  } else {
    tally.taken += 1;
    if (known === 'doubtful') tally.maybeTwice.push(messageId);
  }
  return reply;
}

async function deliver(message: Message, way: Way, journal: Journal): Promise<string> {
  const ready = await way.ready();
  if (typeof ready === 'string') return ready;
  if (!(await ready.send(message.chunks()))) return NO_ANSWER;
  await journal.offered(message.digest);
  const reply = await ready.finish();
  if (reply === null) return NO_ANSWER;
  await (isNo(reply) ? journal.declined(message.digest) : journal.took(message.digest));
  return lastLine(reply);
}

function isNo(reply: string): boolean {
  return !/^[23]/.test(reply);
}
