/** A message on its way from fetchmail: received whole before anybody hears of it, in memory or, when it is large, in a file. */
import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { LineReader } from './line-reader.js';

/** Bytes of a message that are held at once; the rest waits in a file. */
const BUFFER_BYTES = 1_000_000;
/** Longest Message-ID that is told, in characters. */
const MAX_ID_CHARS = 250;
/** Longest header field that is looked at as a whole, in bytes; of a longer one, parts. */
const MAX_FIELD_BYTES = 64_000;
/** Bytes of a header that are kept to be looked at. */
const MAX_HEADER_BYTES = 64_000;
const CRLF = Buffer.from('\r\n');
const DOT = 46;
const BLANK = 32;
const TAB = 9;

export interface Message {
  readonly digest: string;
  /** Its Message-ID, '' without one. */
  readonly messageId: string;
  /** The header as the provider sent it, the first `MAX_HEADER_BYTES` of it. */
  readonly header: string;
  /** As it goes over the wire, dots doubled, without the dot at its end. */
  chunks(): AsyncIterable<Buffer>;
}

/** Reads up to the line with the dot alone; null when the line drops before: then nothing has come. */
export async function receiveMessage(asked: LineReader, spool: string): Promise<Message | null> {
  const identity = createIdentity();
  let held: Buffer[] = [];
  let bytes = 0;
  let file: FileHandle | null = null;
  try {
    for (;;) {
      const line = await asked.line();
      if (line === null) return null;
      if (line.length === 1 && line[0] === DOT) break;
      const whole = Buffer.concat([line, CRLF]);
      held.push(whole);
      bytes += whole.length;
      identity.take(line);
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
    ...identity.end(),
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

/** Over all that the provider sent: not over what fetchmail writes on top, nor over what a provider changes by looking. */
function createIdentity(): {
  take(line: Buffer): void;
  end(): Pick<Message, 'digest' | 'messageId' | 'header'>;
} {
  const hash: Hash = createHash('sha256');
  let inHeader = true;
  let field: Buffer[] = [];
  let bytes = 0;
  let onTop = true;
  let messageId = '';
  const header: Buffer[] = [];
  let headerBytes = 0;

  const hashField = (): void => {
    const text = Buffer.concat(field).toString('latin1');
    // It tells when it was fetched, and in which of several shapes depends on what fetchmail knows of the server.
    const isOurs = onTop && /^Received:.*\(fetchmail-/is.test(text);
    onTop = isOurs || field.length === 0;
    if (!isOurs && !VOLATILE.test(text)) for (const line of field) hash.update(line).update(CRLF);
    if (!isOurs && headerBytes < MAX_HEADER_BYTES) {
      header.push(...field);
      headerBytes += bytes;
    }
    if (messageId === '' && /^Message-ID:/i.test(text)) {
      messageId = /<[^<>\s]+>/.exec(text)?.[0].slice(0, MAX_ID_CHARS) ?? '';
    }
    field = [];
    bytes = 0;
  };

  return {
    take(line) {
      if (inHeader) {
        const goesOn = line[0] === BLANK || line[0] === TAB;
        if (!goesOn || bytes > MAX_FIELD_BYTES) hashField();
        inHeader = line.length > 0;
        if (inHeader) {
          field.push(line);
          bytes += line.length;
          return;
        }
      }
      hash.update(line).update(CRLF);
    },
    end() {
      hashField();
      const lines = header.map((line) => line.toString('utf8'));
      return { digest: hash.digest('hex'), messageId, header: lines.join('\n') };
    },
  };
}

/** What a provider writes while it shows a message. */
const VOLATILE = /^(?:Status|X-Status|X-UIDL?|X-Keywords|Content-Length|X-IMAP(?:base)?):/i;
