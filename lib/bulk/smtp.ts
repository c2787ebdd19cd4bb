/**
 * Gives messages to the mail server of this machine over SMTP (RFC 5321, RFC 2920), one recipient each. After each of them it
 * is certain whether the server may have the message: only when the end of it was on its way and no answer came is it not.
 */
import net from 'node:net';
import tls from 'node:tls';

/** How long each answer may take, in milliseconds (RFC 5321 4.5.3.2). */
const TIMEOUTS = { greeting: 300_000, command: 300_000, end: 600_000 } as const;
/** Longest answer that is read, in bytes. */
const MAX_REPLY_BYTES = 64 * 1024;
const OUR_NAME = 'localhost';

export interface SmtpReply {
  readonly code: number;
  /** The text of all lines, in one. */
  readonly text: string;
}

export interface Envelope {
  readonly from: string;
  readonly to: string;
}

/**
 * `scope` says what a no is about: this recipient, the message (and so perhaps every recipient), the sender, or the server.
 * `broken`: the connection is gone; `inDoubt` when the server may have the message all the same.
 */
export type Delivery =
  | { readonly kind: 'accepted'; readonly queueId: string; readonly reply: string }
  | {
      readonly kind: 'refused' | 'putOff';
      readonly scope: 'recipient' | 'message' | 'sender' | 'server';
      readonly reply: string;
    }
  | { readonly kind: 'broken'; readonly inDoubt: boolean; readonly reply: string };

export class SmtpError extends Error {
  override readonly name = 'SmtpError';
  constructor(
    message: string,
    readonly reply: SmtpReply | null = null,
  ) {
    super(message);
  }
}

export class SmtpSession {
  /** False once nothing more can be sent through it. */
  usable = true;
  #socket: net.Socket;
  #buffer = '';
  #waiting: { resolve: (reply: SmtpReply) => void; reject: (error: Error) => void } | null = null;
  #ended: Error | null = null;
  #extensions: ReadonlySet<string> = new Set();
  #secure = false;

  private constructor(socket: net.Socket) {
    this.#socket = this.#listenTo(socket);
  }

  /** Throws `SmtpError` when nobody answers, or not as a mail server that takes mail. */
  static async open(host: string, port: number): Promise<SmtpSession> {
    const session = new SmtpSession(net.connect({ host, port, noDelay: true }));
    try {
      expect(await session.#reply(TIMEOUTS.greeting), 220);
      await session.#hello();
      return session;
    } catch (error) {
      session.destroy();
      throw error;
    }
  }

  /** Never rejects. `pieces` are a message with CRLF that ends with one. */
  async send(envelope: Envelope, pieces: readonly Buffer[]): Promise<Delivery> {
    const doubt = { now: false };
    try {
      const delivery = await this.#transaction(envelope, pieces, doubt);
      if (delivery.kind === 'putOff' && delivery.scope === 'server') this.destroy();
      return delivery;
    } catch (error) {
      this.destroy();
      const reply = error instanceof Error ? error.message : '';
      return { kind: 'broken', inDoubt: doubt.now, reply };
    }
  }

  /** Says goodbye when there is somebody to say it to. */
  async close(): Promise<void> {
    if (this.usable) await this.#say('QUIT').catch(() => undefined);
    this.destroy();
  }

  destroy(): void {
    this.usable = false;
    this.#socket.destroy();
  }

  async #transaction(
    { from, to }: Envelope,
    pieces: readonly Buffer[],
    doubt: { now: boolean },
  ): Promise<Delivery> {
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const mail = `MAIL FROM:<${from}>${this.#extensions.has('SIZE') ? ` SIZE=${size}` : ''}`;
    const [sender, recipient, data] = await this.#ask([mail, `RCPT TO:<${to}>`, 'DATA']);
    if (sender === undefined || recipient === undefined || data === undefined) {
      throw new SmtpError('answers are missing');
    }
    const no =
      refusal(sender, sender.code >= 500 ? 'sender' : 'server') ??
      refusal(recipient, 'recipient') ??
      (data.code === 354 ? null : refusal(data, data.code >= 500 ? 'message' : 'server'));
    if (no === null) {
      doubt.now = true;
      const end = await this.#message(pieces);
      doubt.now = false;
      if (end.code >= 400) return refusal(end, 'message') ?? broken(end);
      const queueId = /\bqueued as ([0-9A-Za-z]{6,41})\b/.exec(end.text)?.[1] ?? '';
      return { kind: 'accepted', queueId, reply: end.text };
    }
    if (data.code === 354) await this.#say('.');
    if (sender.code === 530 && !this.#secure && this.#extensions.has('STARTTLS')) {
      await this.#encrypt();
      return this.#transaction({ from, to }, pieces, doubt);
    }
    if (data.code !== 421 && no.scope !== 'server') expectBelow(await this.#say('RSET'), 400);
    return no;
  }

  /** All in one go when the server likes that, else one after the other; after a no what follows is not said. */
  async #ask(commands: readonly string[]): Promise<readonly SmtpReply[]> {
    const replies: SmtpReply[] = [];
    if (this.#extensions.has('PIPELINING')) {
      this.#socket.write(commands.map((command) => `${command}\r\n`).join(''));
      while (replies.length < commands.length && replies.at(-1)?.code !== 421) {
        replies.push(await this.#reply(TIMEOUTS.command));
      }
    } else {
      for (const command of commands) {
        const reply = await this.#say(command);
        replies.push(reply);
        if (reply.code >= 400) break;
      }
    }
    const last = replies.at(-1);
    while (last !== undefined && replies.length < commands.length) replies.push(last);
    return replies;
  }

  async #message(pieces: readonly Buffer[]): Promise<SmtpReply> {
    const stuffed = pieces.map(stuffDots);
    for (const piece of stuffed.slice(0, -1)) await this.#write(piece);
    const last = stuffed.at(-1) ?? Buffer.alloc(0);
    await this.#write(Buffer.concat([last, Buffer.from('.\r\n')]));
    return this.#reply(TIMEOUTS.end);
  }

  /** Waits while the server is slower than we are, so that large messages do not pile up in memory. */
  #write(piece: Buffer): Promise<void> {
    if (this.#socket.write(piece)) return Promise.resolve();
    return new Promise((resolve) => {
      const go = (): void => {
        this.#socket.off('drain', go).off('close', go);
        resolve();
      };
      this.#socket.on('drain', go).on('close', go);
    });
  }

  async #hello(): Promise<void> {
    const reply = expect(await this.#say(`EHLO ${OUR_NAME}`), 250);
    const names = reply.text.split('\n').map((line) => line.split(' ')[0]?.toUpperCase() ?? '');
    this.#extensions = new Set(names);
  }

  /** The server is this machine's own; its certificate names what strangers call it. */
  async #encrypt(): Promise<void> {
    expect(await this.#say('STARTTLS'), 220);
    const plain = this.#socket;
    for (const event of ['data', 'error', 'close']) plain.removeAllListeners(event);
    this.#buffer = '';
    const secure = tls.connect({ socket: plain, rejectUnauthorized: false });
    this.#socket = this.#listenTo(secure);
    this.#secure = true;
    await this.#hello();
  }

  #say(line: string): Promise<SmtpReply> {
    if (/[\r\n\0]/.test(line)) throw new SmtpError('one line at a time');
    this.#socket.write(`${line}\r\n`);
    return this.#reply(TIMEOUTS.command);
  }

  #listenTo(socket: net.Socket): net.Socket {
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#buffer += text;
      if (this.#buffer.length > MAX_REPLY_BYTES) this.#end(new SmtpError('an answer is too long'));
      this.#take();
    });
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new SmtpError('the connection was closed')));
    return socket;
  }

  #reply(limitMs: number): Promise<SmtpReply> {
    return new Promise<SmtpReply>((resolve, reject) => {
      const timer = setTimeout(() => this.#end(new SmtpError('no answer in time')), limitMs);
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          this.#waiting = null;
          then(value);
        };
      this.#waiting = { resolve: settle(resolve), reject: settle(reject) };
      this.#take();
    });
  }

  #take(): void {
    if (this.#waiting === null) return;
    const match = /^(?:\d{3}-[^\n]*\n)*(\d{3})(?: [^\n]*)?\r?\n/.exec(this.#buffer);
    if (match) {
      this.#buffer = this.#buffer.slice(match[0].length);
      const lines = match[0].split(/\r?\n/).filter((line) => line !== '');
      this.#waiting.resolve({
        code: Number(match[1]),
        text: lines.map((line) => line.slice(4)).join('\n'),
      });
    } else if (this.#ended) {
      this.#waiting.reject(this.#ended);
    }
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.destroy();
    this.#take();
  }
}

function refusal(
  reply: SmtpReply,
  scope: 'recipient' | 'message' | 'sender' | 'server',
): Extract<Delivery, { scope: unknown }> | null {
  if (reply.code < 400) return null;
  const text = `${reply.code} ${reply.text.replaceAll('\n', ' ')}`;
  if (reply.code === 421) return { kind: 'putOff', scope: 'server', reply: text };
  return { kind: reply.code >= 500 ? 'refused' : 'putOff', scope, reply: text };
}

function broken({ code, text }: SmtpReply): Delivery {
  return { kind: 'broken', inDoubt: false, reply: `${code} ${text}` };
}

function expect(reply: SmtpReply, code: number): SmtpReply {
  if (reply.code !== code) throw new SmtpError(`${reply.code} ${reply.text}`, reply);
  return reply;
}

function expectBelow(reply: SmtpReply, code: number): SmtpReply {
  if (reply.code >= code) throw new SmtpError(`${reply.code} ${reply.text}`, reply);
  return reply;
}

const DOT = Buffer.from('\r\n.');

/** A line that begins with a dot gets another one (RFC 5321 4.5.2). Our own messages have none. */
function stuffDots(piece: Buffer): Buffer {
  const first = piece[0] === 0x2e;
  if (!first && piece.indexOf(DOT) < 0) return piece;
  const text = piece.toString('latin1').replaceAll('\r\n.', '\r\n..');
  return Buffer.from(first ? `.${text}` : text, 'latin1');
}
