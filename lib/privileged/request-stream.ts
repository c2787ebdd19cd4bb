/** Reads the lines of one request, with limits, and notices when the other side cancels or goes away. */
import type { Readable } from 'node:stream';
import { HelperError } from '../errors.js';
import { MAX_LINE_BYTES, PROTOCOL_VERSION, REQUEST_TIMEOUT_MS, type Request } from './protocol.js';

export interface RequestStream {
  /** The first line. Throws at stage `protocol` when it is no request. */
  request(): Promise<Request>;
  /** Items that follow, until the end line. */
  readonly items: AsyncIterable<unknown>;
  /** Aborted by a cancel line, or by the end of the connection. */
  readonly signal: AbortSignal;
}

export function readRequestStream(input: Readable): RequestStream {
  const abort = new AbortController();
  const lines = readLines(input, () => abort.abort());
  return {
    signal: abort.signal,
    request: async () => parseRequest(await firstLine(lines)),
    items: { [Symbol.asyncIterator]: () => readItems(lines, abort) },
  };
}

type Lines = AsyncGenerator<string, void>;

async function firstLine(lines: Lines): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(refused('helper.protocol.slow')), REQUEST_TIMEOUT_MS);
  });
  try {
    const next = await Promise.race([lines.next(), late]);
    if (next.done) throw refused('helper.protocol.empty');
    return next.value;
  } finally {
    clearTimeout(timer);
  }
}

function parseRequest(line: string): Request {
  const value = parseLine(line);
  const { protocol, action, actor, params, ...rest } = value;
  if (protocol !== PROTOCOL_VERSION) throw refused('helper.protocol.version');
  const known =
    typeof action === 'string' &&
    typeof actor === 'string' &&
    actor.length <= 256 &&
    typeof params === 'object' &&
    params !== null &&
    Object.keys(rest).length === 0;
  if (!known) throw refused('helper.protocol.malformed');
  return { protocol: PROTOCOL_VERSION, action, actor, params: params as Request['params'] };
}

async function* readItems(lines: Lines, abort: AbortController): AsyncGenerator<unknown, void> {
  for await (const line of lines) {
    const value = parseLine(line);
    if (value['end'] === true) return;
    if (value['cancel'] === true) {
      abort.abort();
      return;
    }
    if (!('item' in value)) throw refused('helper.protocol.malformed');
    yield value['item'];
  }
  throw refused('helper.protocol.cut');
}

function parseLine(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw refused('helper.protocol.malformed');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refused('helper.protocol.malformed');
  }
  return value as Record<string, unknown>;
}

async function* readLines(input: Readable, ended: () => void): Lines {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let held: Buffer[] = [];
  let bytes = 0;
  input.once('end', ended);
  input.once('error', ended);
  for await (const chunk of input as AsyncIterable<Buffer>) {
    let rest = chunk;
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      yield decodeLine(decoder, Buffer.concat([...held, rest.subarray(0, at)]));
      held = [];
      bytes = 0;
      rest = rest.subarray(at + 1);
    }
    bytes += rest.length;
    if (bytes > MAX_LINE_BYTES) throw refused('helper.protocol.long');
    held.push(rest);
  }
}

function decodeLine(decoder: InstanceType<typeof TextDecoder>, line: Buffer): string {
  if (line.length > MAX_LINE_BYTES) throw refused('helper.protocol.long');
  try {
    return decoder.decode(line);
  } catch {
    throw refused('helper.protocol.malformed');
  }
}

function refused(key: string): HelperError {
  return new HelperError({ stage: 'protocol', key, values: {}, detail: '', restored: true });
}
