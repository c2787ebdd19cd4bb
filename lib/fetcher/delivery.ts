/** One connection to Postfix, on the listener for fetched mail (RFC 5321). Nothing here rejects: no answer is null. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLineReader } from './line-reader.js';

/** How long Postfix may take for one answer, in milliseconds: it syncs a large message to disk. */
const ANSWER_LIMIT_MS = 300_000;
/**
 * How long nobody may listen there, in milliseconds: a save that brings the first query opens the listener a moment after the
 * schedule is seen, and Postfix may be starting anew.
 */
const LISTEN_LIMIT_MS = 5_000;
const CONNECT_AGAIN_MS = 100;
const CRLF = Buffer.from('\r\n');
const END = Buffer.from('.\r\n');

export interface Delivery {
  /** SIZE and 8BITMIME, as it offers them. */
  readonly offers: readonly string[];
  /** The answer to a command; null when there is none, and will be none. */
  ask(command: Buffer): Promise<string | null>;
  /** The message without its last line: false when the line dropped, so that Postfix cannot have taken it. */
  send(chunks: AsyncIterable<Buffer>): Promise<boolean>;
  /** The last line. From here on nobody but Postfix knows, until it answers. */
  finish(): Promise<string | null>;
  close(): void;
}

/** Null when nobody takes mail there. */
export async function openDelivery(port: number): Promise<Delivery | null> {
  const socket = await connected(port);
  if (socket === null) return null;
  socket.on('error', () => undefined);
  socket.setTimeout(ANSWER_LIMIT_MS, () => socket.destroy());
  const lines = createLineReader(socket);
  const reply = async (): Promise<string | null> => {
    const all: string[] = [];
    for (;;) {
      const line = (await lines.line())?.toString('latin1');
      if (line === undefined) return null;
      all.push(line);
      if (/^\d{3}-/.test(line)) continue;
      // Postfix says so when it ends the connection, also unasked.
      return line.startsWith('421') ? null : all.join('\r\n');
    }
  };
  const ask = async (command: Buffer): Promise<string | null> => {
    if (socket.destroyed || !socket.writable) return null;
    socket.write(Buffer.concat([command, CRLF]));
    return reply();
  };
  const greeting = await reply();
  const hello =
    greeting?.startsWith('2') === true ? await ask(Buffer.from('EHLO localhost')) : null;
  if (hello?.startsWith('2') !== true) {
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
        if (socket.destroyed) return false;
      }
      return true;
    },
    finish: () => {
      socket.write(END);
      return reply();
    },
    close: () => {
      socket.end('QUIT\r\n');
      setTimeout(() => socket.destroy(), 1_000).unref();
    },
  };
}

async function connected(port: number): Promise<Socket | null> {
  for (const end = Date.now() + LISTEN_LIMIT_MS; ; await sleep(CONNECT_AGAIN_MS)) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return socket;
    } catch {
      socket.destroy();
      if (Date.now() > end) return null;
    }
  }
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
