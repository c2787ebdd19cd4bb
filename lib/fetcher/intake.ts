/**
 * The way of a message from fetchmail into Postfix, over a unix socket nobody else can reach. fetchmail alone would
 * deliver a message again when it is killed, or its line drops, after Postfix took it and before the provider heard of
 * it. Here each message that was taken is noted, on disk, until a session with the provider has ended well; what comes
 * again until then is taken as done. What is in doubt, because Postfix did not answer, is fetched again: never lost.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createLineReader, type LineReader } from './line-reader.js';

/** How long Postfix may take for one answer, in milliseconds: it syncs a large message to disk. */
const ANSWER_LIMIT_MS = 300_000;
/** Bytes of a message that are held at once; the rest waits in a file. */
const BUFFER_BYTES = 1_000_000;

export interface IntakeFiles {
  readonly socket: string;
  /** Digests of the messages that were taken since the last session that ended well. */
  readonly taken: string;
  /** Where a message waits that is being received. */
  readonly spool: string;
}

export interface Intake {
  /** Messages Postfix took, and messages that came again. */
  counts(): { readonly taken: number; readonly again: number };
  /** Answers of Postfix that were a no, as it gave them. */
  refusals(): readonly string[];
  /** Resolves when nothing is being received any more. */
  idle(): Promise<void>;
  /** The session with the provider ended well: it will not send these again. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** `fallback` is who gets what has no recipient here: refused, it would wait at the provider and come again each time. */
export async function openIntake(
  files: IntakeFiles,
  deliveryPort: number,
  fallback: string,
): Promise<Intake> {
  let reading: Promise<Set<string>> | null = null;
  // Not before fetchmail comes: until then another one may be at work, which still adds to it.
  const known = (): Promise<Set<string>> => (reading ??= readTaken(files.taken));
  const notes = await open(
    files.taken,
    constants.O_CREAT | constants.O_WRONLY | constants.O_APPEND,
    0o600,
  );
  const refusals: string[] = [];
  const counts = { taken: 0, again: 0 };
  const memory: Memory = {
    has: async (digest) => (await known()).has(digest),
    note: async (digest) => {
      await notes.appendFile(`${digest}\n`);
      await notes.datasync();
      (await known()).add(digest);
      counts.taken += 1;
    },
    again: () => (counts.again += 1),
    refused: (reply) => refusals.push(reply),
  };
  const sessions = new Set<Promise<void>>();
  const server = createServer((client) => {
    const session = serve(client, { files, deliveryPort, fallback }, memory).catch(() => undefined);
    sessions.add(session);
    void session.finally(() => {
      client.destroy();
      sessions.delete(session);
    });
  });
  await rm(files.socket, { force: true });
  await listen(server, files.socket);
  return {
    counts: () => ({ ...counts }),
    refusals: () => refusals,
    idle: async () => {
      await Promise.all(sessions);
    },
    settle: async () => {
      await notes.truncate(0);
      await notes.datasync();
      reading = Promise.resolve(new Set());
    },
    close: async () => {
      server.close();
      // What Postfix is just taking is waited for, even when fetchmail is gone: only so is it known.
      await Promise.all(sessions);
      await notes.close();
      await rm(files.socket, { force: true });
      await rm(files.spool, { force: true });
    },
  };
}

async function readTaken(file: string): Promise<Set<string>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return new Set(text.split('\n').filter((line) => line.length === DIGEST_CHARS));
}

interface Memory {
  has(digest: string): Promise<boolean>;
  note(digest: string): Promise<void>;
  again(): void;
  refused(reply: string): void;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
}

interface Delivery {
  readonly files: IntakeFiles;
  readonly deliveryPort: number;
  readonly fallback: string;
}

/** LMTP with fetchmail (RFC 2033), SMTP with Postfix, command by command. */
async function serve(
  client: Socket,
  { files, deliveryPort, fallback }: Delivery,
  memory: Memory,
): Promise<void> {
  client.on('error', () => undefined);
  const asked = createLineReader(client);
  const postfix = await openPostfix(deliveryPort);
  if (postfix === null) {
    client.end('421 4.3.2 The mail server here does not answer\r\n');
    return;
  }
  const say = (text: string): void => void client.write(`${text}\r\n`);
  try {
    say('220 fetched mail');
    let recipients = 0;
    let fallenBack: string | null = null;
    for (;;) {
      const line = await asked.line();
      if (line === null) return;
      const command = line.toString('latin1');
      const word = command.slice(0, 4).toUpperCase();
      if (word === 'LHLO' || word === 'EHLO') {
        say(
          [
            '250-fetched mail',
            ...postfix.offers.map((offer) => `250-${offer}`),
            '250 PIPELINING',
          ].join('\r\n'),
        );
      } else if (word === 'DATA') {
        if (recipients === 0) {
          say('554 5.5.1 No valid recipients');
          continue;
        }
        say('354 Go on');
        const message = await receive(asked, files.spool);
        if (message === null) return;
        const reply = await handOver(message, postfix, memory);
        for (let one = 0; one < recipients; one += 1) say(reply);
        recipients = 0;
      } else if (word === 'QUIT') {
        say('221 2.0.0 Bye');
        client.end();
        return;
      } else {
        if (word === 'RSET' || word === 'MAIL') {
          recipients = 0;
          fallenBack = null;
        }
        let reply = await postfix.ask(line);
        if (word === 'RCPT' && reply.startsWith('5')) {
          fallenBack ??= await postfix.ask(Buffer.from(`RCPT TO:<${fallback}>`));
          if (fallenBack.startsWith('2')) reply = '250 2.1.5 Somebody else gets it';
        }
        if (word === 'RCPT' && reply.startsWith('2')) recipients += 1;
        if (/^[45]/.test(reply)) memory.refused(lastLine(reply));
        say(reply);
      }
    }
  } finally {
    postfix.close();
  }
}

interface Message {
  readonly digest: string;
  /** As it goes over the wire, dots doubled, with the final dot. */
  chunks(): AsyncIterable<Buffer>;
}

/** Reads up to the line with the dot alone; null when the line drops before: then nothing has come. */
async function receive(asked: LineReader, spool: string): Promise<Message | null> {
  const digest = createDigest();
  let held: Buffer[] = [];
  let bytes = 0;
  let file: FileHandle | null = null;
  try {
    for (;;) {
      const line = await asked.line();
      if (line === null) return null;
      const whole = Buffer.concat([line, CRLF]);
      held.push(whole);
      bytes += whole.length;
      if (line.length === 1 && line[0] === DOT) break;
      digest.take(line);
      if (bytes >= BUFFER_BYTES) {
        file ??= await open(spool, 'w', 0o600);
        await file.writev(held);
        held = [];
        bytes = 0;
      }
    }
  } finally {
    await file?.close();
  }
  const inFile = file !== null;
  return {
    digest: digest.end(),
    async *chunks() {
      if (inFile) {
        const handle = await open(spool, 'r');
        try {
          yield* handle.createReadStream({
            autoClose: false,
            highWaterMark: 262_144,
          }) as AsyncIterable<Buffer>;
        } finally {
          await handle.close();
        }
      }
      yield Buffer.concat(held);
    },
  };
}

/** Gives it to Postfix, unless Postfix has it. The answer for fetchmail. */
async function handOver(message: Message, postfix: Postfix, memory: Memory): Promise<string> {
  if (await memory.has(message.digest)) {
    memory.again();
    await postfix.ask(Buffer.from('RSET'));
    return '250 2.0.0 It came before';
  }
  const ready = await postfix.ask(Buffer.from('DATA'));
  if (!ready.startsWith('3')) {
    memory.refused(lastLine(ready));
    return lastLine(ready);
  }
  const reply = await postfix.send(message.chunks());
  if (reply.startsWith('2')) await memory.note(message.digest);
  else memory.refused(lastLine(reply));
  return lastLine(reply);
}

/** SHA-256 in hexadecimal; a shorter line was cut off by a power cut. */
const DIGEST_CHARS = 64;
const CRLF = Buffer.from('\r\n');
const DOT = 46;

/** Over all that the provider sent: not over what fetchmail writes on top, nor over what a provider changes by looking. */
function createDigest(): { take(line: Buffer): void; end(): string } {
  const hash: Hash = createHash('sha256');
  let inHeader = true;
  let skipping = false;
  return {
    take(line) {
      if (inHeader) {
        if (line.length === 0) inHeader = false;
        const first = line[0];
        const continues = first === 32 || first === 9;
        if (!continues) skipping = isVolatile(line);
        if (skipping && inHeader) return;
      }
      hash.update(line).update(CRLF);
    },
    end: () => hash.digest('hex'),
  };
}

function isVolatile(line: Buffer): boolean {
  const text = line.toString('latin1');
  return (
    /^(?:Status|X-Status|X-UIDL?|X-Keywords|Content-Length|X-IMAP(?:base)?):/i.test(text) ||
    /^Received: from .* \(fetchmail-|^Received: from \S+ (?:\[[^\]]*\]|\([^)]*\))$/.test(text)
  );
}

interface Postfix {
  /** SIZE and 8BITMIME, as it offers them. */
  readonly offers: readonly string[];
  /** Never rejects: a line that drops is a 4xx. */
  ask(command: Buffer): Promise<string>;
  send(chunks: AsyncIterable<Buffer>): Promise<string>;
  close(): void;
}

const NO_ANSWER = '451 4.3.0 The mail server here does not answer';

/** Null when nobody answers there. */
async function openPostfix(port: number): Promise<Postfix | null> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.setTimeout(ANSWER_LIMIT_MS, () => socket.destroy());
  const lines = createLineReader(socket);
  const reply = async (): Promise<string> => {
    const all: string[] = [];
    for (;;) {
      const line = (await lines.line())?.toString('latin1');
      if (line === undefined) return NO_ANSWER;
      all.push(line);
      if (!/^\d{3}-/.test(line)) return all.join('\r\n');
    }
  };
  const ask = async (command: Buffer): Promise<string> => {
    socket.write(Buffer.concat([command, CRLF]));
    return reply();
  };
  const greeting = await reply();
  const hello = greeting.startsWith('2') ? await ask(Buffer.from('EHLO localhost')) : '';
  if (!hello.startsWith('2')) {
    socket.destroy();
    return null;
  }
  return {
    offers: hello
      .split('\r\n')
      .map((line) => line.slice(4))
      .filter((offer) => /^(?:SIZE\b|8BITMIME$)/i.test(offer)),
    ask,
    async send(chunks) {
      for await (const chunk of chunks) {
        if (!socket.write(chunk)) await drained(socket);
      }
      return reply();
    },
    close: () => {
      socket.end('QUIT\r\n');
      setTimeout(() => socket.destroy(), 1_000).unref();
    },
  };
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    if (socket.destroyed) resolve();
    else socket.on('drain', done).on('close', done);
  });
}

/** An LMTP answer after the data is one line a recipient. */
function lastLine(reply: string): string {
  return reply.split('\r\n').at(-1) ?? reply;
}
