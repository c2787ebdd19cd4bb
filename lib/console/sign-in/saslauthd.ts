/**
 * Asks saslauthd whether a system account's password is right, over its unix socket (saslauthd(8)).
 *
 * The request is four strings (login, password, service, realm), each a 16-bit length and its bytes; the answer is one.
 */
import { createConnection } from 'node:net';

/** PAM delays a refusal by about three seconds; more than this is no answer. Milliseconds. */
const ANSWER_TIMEOUT_MS = 15_000;
const MAX_FIELD_BYTES = 1024;
const MAX_ANSWER_BYTES = 1024;

export type SystemAnswer = 'right' | 'wrong' | 'unavailable';

export interface SystemPasswords {
  check(login: string, password: string): Promise<SystemAnswer>;
  /** Whether anybody listens at the socket now. */
  available(): Promise<boolean>;
}

/** @param service The PAM service saslauthd asks, as a file of that name in /etc/pam.d. */
export function createSaslauthd(
  socketPath: string,
  service = 'mailserver-console',
): SystemPasswords {
  return {
    check(login, password) {
      const fields = [login, password, service, ''].map((text) => Buffer.from(text, 'utf8'));
      const wrong = fields.some((field) => field.length > MAX_FIELD_BYTES || field.includes(0));
      return wrong
        ? Promise.resolve('wrong')
        : ask(socketPath, Buffer.concat(fields.flatMap(frame)));
    },
    available: () => answers(socketPath),
  };
}

function frame(field: Buffer): Buffer[] {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(field.length);
  return [length, field];
}

function ask(socketPath: string, request: Buffer): Promise<SystemAnswer> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    let received = Buffer.alloc(0);
    const settle = (answer: SystemAnswer): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => settle('unavailable'));
    socket.on('error', () => settle('unavailable'));
    socket.on('close', () => settle('unavailable'));
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const answer = readAnswer(received);
      if (answer !== null) settle(answer);
      else if (received.length > MAX_ANSWER_BYTES) settle('unavailable');
    });
  });
}

/** Null while more must come. */
function readAnswer(received: Buffer): SystemAnswer | null {
  if (received.length < 2) return null;
  const length = received.readUInt16BE(0);
  if (received.length < 2 + Math.min(length, 2)) return null;
  const word = received.toString('latin1', 2, 4);
  if (word === 'OK') return 'right';
  return word === 'NO' ? 'wrong' : 'unavailable';
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => settle(false));
    socket.on('error', () => settle(false));
    socket.on('connect', () => settle(true));
  });
}
