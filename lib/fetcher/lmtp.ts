/** What fetchmail hands its messages to: a small LMTP server (RFC 2033) on a unix socket nobody else can reach. */
import { rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { createLineReader } from './line-reader.js';
import { receiveMessage, type Message } from './message.js';

export interface LmtpFiles {
  readonly socket: string;
  /** Where a message waits that is being received. */
  readonly spool: string;
}

/** Takes what one connection brings. Answers are whole replies, codes included. */
export interface Receiver {
  /** What it can, as EHLO tells it; null when it takes nothing now. */
  open(): Promise<readonly string[] | null>;
  /** The answer to MAIL, RCPT and the like. */
  envelope(command: Buffer): Promise<string>;
  /** Recipients that were accepted for the message that comes. */
  recipients(): number;
  message(message: Message): Promise<string>;
  close(): void;
}

export interface LmtpServer {
  /** Resolves when nothing is being received any more. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

export async function listenLmtp(
  files: LmtpFiles,
  createReceiver: () => Receiver,
): Promise<LmtpServer> {
  const sessions = new Set<Promise<void>>();
  const server = createServer((client) => {
    const receiver = createReceiver();
    const session = serve(client, receiver, files.spool).catch(() => undefined);
    sessions.add(session);
    void session.finally(() => {
      receiver.close();
      client.destroy();
      sessions.delete(session);
    });
  });
  await rm(files.socket, { force: true });
  await listen(server, files.socket);
  return {
    idle: async () => {
      await Promise.all(sessions);
    },
    close: async () => {
      server.close();
      // What is just being taken is waited for, even when fetchmail is gone: only so is it known.
      await Promise.all(sessions);
      await rm(files.socket, { force: true });
      await rm(files.spool, { force: true });
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
}

/** Command by command. */
async function serve(client: Socket, receiver: Receiver, spool: string): Promise<void> {
  client.on('error', () => undefined);
  const asked = createLineReader(client);
  const offers = await receiver.open();
  if (offers === null) {
    client.end('421 4.3.2 The mail server here does not answer\r\n');
    return;
  }
  const say = (text: string): void => void client.write(`${text}\r\n`);
  say('220 fetched mail');
  for (;;) {
    const line = await asked.line();
    if (line === null) return;
    switch (wordOf(line)) {
      case 'LHLO':
      case 'EHLO':
        say(
          ['fetched mail', ...offers].map((offer) => `250-${offer}\r\n`).join('') +
            '250 PIPELINING',
        );
        break;
      case 'DATA': {
        const recipients = receiver.recipients();
        if (recipients === 0) {
          say('554 5.5.1 No valid recipients');
          break;
        }
        say('354 Go on');
        const message = await receiveMessage(asked, spool);
        if (message === null) return;
        // One line a recipient.
        const reply = lastLine(await receiver.message(message));
        // A no at this place fetchmail would send back to the sender; where there is none, as in a bounce, it takes the
        // message for done and deletes it. When the line drops, it leaves it, whoever wrote it, and goes on with the next.
        if (!reply.startsWith('2')) return;
        for (let one = 0; one < recipients; one += 1) say(reply);
        break;
      }
      case 'QUIT':
        say('221 2.0.0 Bye');
        client.end();
        return;
      default:
        say(await receiver.envelope(line));
    }
  }
}

/** The first four letters: enough to tell commands apart. */
export function wordOf(command: Buffer): string {
  return command.toString('latin1', 0, 4).toUpperCase();
}

export function lastLine(reply: string): string {
  return reply.split('\r\n').at(-1) ?? reply;
}
