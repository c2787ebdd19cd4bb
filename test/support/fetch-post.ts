/** What takes fetched mail instead of Postfix: keeps every message, and breaks at the very moments a test wants. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** What becomes of a message that came whole, or of the envelope of one. */
export type Mood = 'take' | 'takeAndHangUp' | 'hangUp' | 'refuse';

export interface FetchPost {
  readonly port: number;
  /** Every message that was taken, in order. */
  readonly messages: readonly string[];
  /** Recipients of each. */
  readonly recipients: readonly (readonly string[])[];
  /** Asked at the end of each message. */
  mood: (message: string) => Mood | Promise<Mood>;
  /** Commands of envelopes: what is answered instead of yes; '' hangs up. */
  envelope: (command: string) => string | null;
  /** Ends all connections, as a Postfix that is started anew. */
  hangUp(): void;
  stop(): void;
}

export async function startFetchPost(): Promise<FetchPost> {
  const sockets = new Set<Socket>();
  const messages: string[] = [];
  const recipients: string[][] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    void talk(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const post: FetchPost = {
    port: (server.address() as AddressInfo).port,
    messages,
    recipients,
    mood: () => 'take',
    envelope: () => null,
    hangUp: () => {
      for (const socket of sockets) socket.destroy();
    },
    stop: () => {
      server.close();
      post.hangUp();
    },
  };

  async function talk(socket: Socket): Promise<void> {
    const say = (text: string): void => void socket.write(`${text}\r\n`);
    let to: string[] = [];
    let data: string[] | null = null;
    say('220 post.test');
    for await (const line of createInterface({ input: socket, crlfDelay: Infinity })) {
      if (data !== null) {
        if (line !== '.') {
          data.push(line);
          continue;
        }
        const text = data.join('\n');
        data = null;
        const mood = await post.mood(text);
        if (mood === 'take' || mood === 'takeAndHangUp') {
          messages.push(text);
          recipients.push(to);
        }
        if (mood === 'takeAndHangUp' || mood === 'hangUp') {
          socket.destroy();
          return;
        }
        say(mood === 'take' ? '250 2.0.0 Ok' : '452 4.3.1 Insufficient system storage');
        to = [];
        continue;
      }
      const answer = post.envelope(line);
      if (answer === '') {
        socket.destroy();
        return;
      }
      if (answer !== null) {
        say(answer);
      } else if (/^EHLO/i.test(line)) {
        say('250-post.test\r\n250-SIZE\r\n250 8BITMIME');
      } else if (/^DATA/i.test(line)) {
        data = [];
        say('354 go on');
      } else {
        if (/^RCPT/i.test(line)) to.push(line.replace(/^RCPT TO:/i, ''));
        if (/^(?:MAIL|RSET)/i.test(line)) to = [];
        say('250 2.0.0 Ok');
      }
    }
  }
  return post;
}
