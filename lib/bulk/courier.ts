/** Sends a batch of messages over a few connections that stay open, and says of each what became of it. */
import { untouched, type Outcome, type Recipient } from './recipient-store.js';
import { MAX_REPLY_CHARS } from './schema.js';
import { SmtpSession, type Delivery } from './smtp.js';

/** After so many refusals a new connection is made: a server slows down or ends one that collects them (smtpd_soft_error_limit). */
const MAX_REFUSALS = 5;
/** Tries of one recipient, with pauses that double up to half an hour; then it counts as refused. */
const MAX_TRIES = 30;
const MAX_DELAY_SECONDS = 1_800;

export interface Batch {
  readonly host: string;
  readonly port: number;
  readonly sender: string;
  readonly recipients: readonly Recipient[];
  /** One that throws costs its recipient the message, and nobody else. */
  write(recipient: Recipient): readonly Buffer[];
  /** Asked before each message: whether we still may. */
  may(): boolean;
}

/** Why it cannot go on just now: the server, or it will not have this sender at all. */
export interface Halt {
  readonly kind: 'unreachable' | 'busy' | 'disk' | 'sender';
  readonly reply: string;
}

export interface BatchResult {
  readonly outcomes: readonly Outcome[];
  readonly halt: Halt | null;
}

export interface Courier {
  /** Never rejects; every recipient of the batch is among the outcomes. */
  deliver(batch: Batch): Promise<BatchResult>;
  close(): Promise<void>;
}

export function createCourier(parts: {
  readonly connections: number;
  /** Before a recipient that was put off is tried again the first time, in seconds. */
  readonly retrySeconds: number;
}): Courier {
  const { connections, retrySeconds } = parts;
  const idle: { readonly session: SmtpSession; refusals: number }[] = [];

  const connect = async ({ host, port }: Batch) => {
    for (let known = idle.pop(); known; known = idle.pop()) {
      if (known.session.usable && known.refusals < MAX_REFUSALS) return known;
      await known.session.close();
    }
    return { session: await SmtpSession.open(host, port), refusals: 0 };
  };

  const deliver = async (batch: Batch): Promise<BatchResult> => {
    const outcomes: Outcome[] = [];
    const waiting = [...batch.recipients];
    const state: { halt: Halt | null } = { halt: null };
    const work = async (): Promise<void> => {
      let line: Awaited<ReturnType<typeof connect>> | null = null;
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        if (state.halt !== null || !batch.may()) {
          outcomes.push(untouched(next));
          continue;
        }
        const pieces = written(batch, next);
        if (pieces instanceof Error) {
          outcomes.push(unwritable(next, pieces));
          continue;
        }
        try {
          if (line === null || !line.session.usable || line.refusals >= MAX_REFUSALS) {
            await line?.session.close();
            line = await connect(batch);
          }
        } catch (error) {
          state.halt ??= { kind: 'unreachable', reply: wordsOf(error) };
          outcomes.push(untouched(next));
          continue;
        }
        const envelope = { from: batch.sender, to: next.address };
        const delivery = await line.session.send(envelope, pieces);
        if (delivery.kind === 'refused') line.refusals += 1;
        state.halt ??= haltOf(delivery);
        outcomes.push(outcomeOf(next, delivery, retrySeconds));
      }
      if (line?.session.usable) idle.push(line);
    };
    await Promise.all(Array.from({ length: connections }, work));
    return { outcomes, halt: state.halt };
  };

  return {
    deliver,
    async close() {
      await Promise.all(idle.splice(0).map(({ session }) => session.close()));
    },
  };
}

function written(batch: Batch, recipient: Recipient): readonly Buffer[] | Error {
  try {
    return batch.write(recipient);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The mail server has not heard of it, and will not. */
function unwritable({ no }: Recipient, error: Error): Outcome {
  return { no, state: 'refused', queueId: '', reply: wordsOf(error), tried: false, delay: 0 };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, MAX_REPLY_CHARS) : '';
}

function haltOf(delivery: Delivery): Halt | null {
  if (delivery.kind === 'broken') return { kind: 'unreachable', reply: delivery.reply };
  if (delivery.kind === 'accepted') return null;
  const { kind, scope, reply } = delivery;
  if (kind === 'refused') return scope === 'sender' ? { kind: 'sender', reply } : null;
  if (scope !== 'server') return null;
  return { kind: /^452 4\.3\.1\b/.test(reply) ? 'disk' : 'busy', reply };
}

function outcomeOf(recipient: Recipient, delivery: Delivery, retrySeconds: number): Outcome {
  const { no, attempts } = recipient;
  const reply = delivery.reply.replaceAll('\n', ' ').slice(0, MAX_REPLY_CHARS);
  const base = { no, queueId: '', reply, tried: true, delay: 0 };
  switch (delivery.kind) {
    case 'accepted':
      return { ...base, state: 'accepted', queueId: delivery.queueId };
    case 'broken':
      return delivery.inDoubt ? { ...base, state: 'checking' } : untouched(recipient);
    case 'refused':
      return delivery.scope === 'sender' ? untouched(recipient) : { ...base, state: 'refused' };
    case 'putOff': {
      if (delivery.scope === 'server') return untouched(recipient);
      if (attempts + 1 >= MAX_TRIES) return { ...base, state: 'refused' };
      const delay = Math.min(MAX_DELAY_SECONDS, retrySeconds * 2 ** Math.min(attempts, 10));
      return { ...base, state: 'waiting', delay: Math.max(1, Math.round(delay)) };
    }
  }
}
