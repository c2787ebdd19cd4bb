/** A client that speaks SMTP word by word, so that a test sees every answer of the server. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';

export interface Reply {
  readonly code: number;
  /** All lines of it, without codes. */
  readonly text: string;
}

export interface Delivery {
  readonly greeting: Reply;
  readonly mail: Reply;
  /** In the order of the recipients. */
  readonly recipients: readonly Reply[];
  /** The answer to the message itself; null when no recipient was accepted. */
  readonly data: Reply | null;
}

export interface Message {
  readonly from: string;
  readonly to: string | readonly string[];
  /** The whole message with its header, lines ended by CRLF or LF; made from subject and body when not given. */
  readonly raw?: string | Buffer;
  readonly subject?: string;
  readonly body?: string;
  /** Announced with MAIL FROM when given, as clients do that know the size. */
  readonly announceSize?: number;
  readonly helo?: string;
}

export class SmtpClient {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = createInterface({ input: socket, crlfDelay: Infinity });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    socket.on('error', () => undefined);
  }

  /** Resolves with the client and the greeting. */
  static async open(port: number, host = '127.0.0.1'): Promise<[SmtpClient, Reply]> {
    const socket = connect(port, host);
    await once(socket, 'connect');
    const client = new SmtpClient(socket);
    return [client, await client.reply()];
  }

  async command(line: string): Promise<Reply> {
    this.#socket.write(`${line}\r\n`);
    return this.reply();
  }

  /** The message after DATA was answered with 354: dots are doubled, line ends made CRLF. */
  async message(raw: string | Buffer): Promise<Reply> {
    const text = (typeof raw === 'string' ? raw : raw.toString('latin1'))
      .replace(/\r?\n/g, '\r\n')
      .replace(/^\./gm, '..');
    this.#socket.write(Buffer.from(text, typeof raw === 'string' ? 'utf8' : 'latin1'));
    return this.command(text.endsWith('\r\n') ? '.' : '\r\n.');
  }

  async reply(): Promise<Reply> {
    const texts: string[] = [];
    for (;;) {
      const next = await this.#lines.next();
      if (next.done) throw new Error('the server closed the connection');
      const match = /^(\d{3})([ -])(.*)$/.exec(next.value);
      if (!match) throw new Error(`no SMTP reply: ${next.value}`);
      texts.push(match[3] ?? '');
      if (match[2] === ' ') return { code: Number(match[1]), text: texts.join('\n') };
    }
  }

  close(): void {
    this.#reader.close();
    this.#socket.destroy();
  }
}

let counter = 0;

/** Delivers one message and tells every answer. Never throws because of an answer. */
export async function sendMail(port: number, message: Message): Promise<Delivery> {
  const [client, greeting] = await SmtpClient.open(port);
  try {
    await client.command(`EHLO ${message.helo ?? 'client.example'}`);
    const size = message.announceSize === undefined ? '' : ` SIZE=${message.announceSize}`;
    const mail = await client.command(`MAIL FROM:<${message.from}>${size}`);
    const to = typeof message.to === 'string' ? [message.to] : message.to;
    const recipients: Reply[] = [];
    for (const address of to) recipients.push(await client.command(`RCPT TO:<${address}>`));
    const data = await sendData(client, recipients, message);
    await client.command('QUIT').catch(() => undefined);
    return { greeting, mail, recipients, data };
  } finally {
    client.close();
  }
}

async function sendData(
  client: SmtpClient,
  recipients: readonly Reply[],
  message: Message,
): Promise<Reply | null> {
  if (!recipients.some(({ code }) => code === 250)) return null;
  const go = await client.command('DATA');
  return go.code === 354 ? client.message(message.raw ?? composed(message)) : go;
}

function composed(message: Message): string {
  counter += 1;
  return [
    `From: <${message.from}>`,
    `To: <${typeof message.to === 'string' ? message.to : message.to.join('>, <')}>`,
    `Subject: ${message.subject ?? `test ${counter}`}`,
    `Message-ID: <${process.pid}.${counter}@client.example>`,
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    '',
    message.body ?? 'Hello',
    '',
  ].join('\r\n');
}
