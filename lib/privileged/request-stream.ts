/** Reads the lines of one request, with limits, and notices when the other side cancels or goes away. */
import type { Readable } from 'node:stream';
import { HelperError } from '../errors.js';
import { parseJson } from './safe-json.js';
import { MAX_LINE_BYTES, PROTOCOL_VERSION, REQUEST_TIMEOUT_MS, type Request } from './protocol.js';

/** Bytes of lines that wait for an action to take them, before we stop reading. */
const MAX_WAITING_BYTES = MAX_LINE_BYTES;
/** Longest login a request may name. */
const MAX_ACTOR_LENGTH = 256;

export interface RequestStream {
  /** The first line. Throws at stage `protocol` when it is no request, or not there in time. */
  request(): Promise<Request>;
  /** Items that follow, until the end line. Ends early after a cancel line. */
  readonly items: AsyncIterable<unknown>;
  /** Aborted by a cancel line, or by the end of the connection, whether or not somebody reads the items. */
  readonly signal: AbortSignal;
}

type Line = Readonly<Record<string, unknown>>;

export function readRequestStream(input: Readable): RequestStream {
  const lines = new LineQueue(input);
  return {
    signal: lines.signal,
    request: async () => parseRequest(await firstLine(lines)),
    items: { [Symbol.asyncIterator]: () => readItems(lines) },
  };
}

async function firstLine(lines: LineQueue): Promise<Line> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(refused('helper.protocol.slow')), REQUEST_TIMEOUT_MS);
  });
  try {
    const line = await Promise.race([lines.next(), late]);
    if (line === null) throw refused('helper.protocol.empty');
    return line;
  } finally {
    clearTimeout(timer);
  }
}

function parseRequest({ protocol, action, actor, params, ...rest }: Line): Request {
  if (protocol !== PROTOCOL_VERSION) throw refused('helper.protocol.version');
  const known =
    typeof action === 'string' &&
    typeof actor === 'string' &&
    actor.length <= MAX_ACTOR_LENGTH &&
    typeof params === 'object' &&
    params !== null &&
    !Array.isArray(params) &&
    Object.keys(rest).length === 0;
  if (!known) throw refused('helper.protocol.malformed');
  return { protocol: PROTOCOL_VERSION, action, actor, params: params as Request['params'] };
}

async function* readItems(lines: LineQueue): AsyncGenerator<unknown, void> {
  for (;;) {
    const line = await lines.next();
    if (line === null) {
      if (lines.cancelled) return;
      throw refused('helper.protocol.cut');
    }
    if (line['end'] === true) return;
    if (!('item' in line)) throw refused('helper.protocol.malformed');
    yield line['item'];
  }
}

/** Reads ahead, so that a cancel line or the end of the connection is seen at once, but only as far as the limit. */
class LineQueue {
  cancelled = false;
  readonly #abort = new AbortController();
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  readonly #waiting: { readonly line: Line; readonly bytes: number }[] = [];
  #waitingBytes = 0;
  #partial: Buffer[] = [];
  #partialBytes = 0;
  #failure: Error | null = null;
  #over = false;
  #wake: (() => void) | null = null;

  constructor(private readonly input: Readable) {
    input.on('data', (chunk: Buffer) => this.#take(chunk));
    for (const event of ['end', 'error', 'close']) input.once(event, () => this.#end());
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The next line; null after the last one. Throws when what came is no line of the protocol. */
  async next(): Promise<Line | null> {
    while (this.#waiting.length === 0 && !this.#over) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const next = this.#waiting.shift();
    if (next) {
      this.#waitingBytes -= next.bytes;
      if (this.#waitingBytes <= MAX_WAITING_BYTES) this.input.resume();
      return next.line;
    }
    if (this.#failure) throw this.#failure;
    return null;
  }

  #take(chunk: Buffer): void {
    if (this.#over) return;
    try {
      let rest = chunk;
      for (let at = rest.indexOf(10); at >= 0 && !this.#over; at = rest.indexOf(10)) {
        this.#takeLine(Buffer.concat([...this.#partial, rest.subarray(0, at)]));
        this.#partial = [];
        this.#partialBytes = 0;
        rest = rest.subarray(at + 1);
      }
      this.#partialBytes += rest.length;
      if (this.#partialBytes > MAX_LINE_BYTES) throw refused('helper.protocol.long');
      this.#partial.push(rest);
    } catch (error) {
      this.#failure = error as Error;
      this.#end();
    }
    this.#wake?.();
  }

  #takeLine(bytes: Buffer): void {
    if (bytes.length > MAX_LINE_BYTES) throw refused('helper.protocol.long');
    const line = this.#parse(bytes);
    if (line['cancel'] === true) {
      this.cancelled = true;
      this.#end();
      return;
    }
    this.#waiting.push({ line, bytes: bytes.length });
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.input.pause();
  }

  #parse(bytes: Buffer): Line {
    let value: unknown;
    try {
      value = parseJson(this.#decoder.decode(bytes));
    } catch {
      throw refused('helper.protocol.malformed');
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw refused('helper.protocol.malformed');
    }
    return value as Line;
  }

  #end(): void {
    this.#over = true;
    this.#partial = [];
    this.#abort.abort();
    this.#wake?.();
  }
}

function refused(key: string): HelperError {
  return new HelperError({ stage: 'protocol', key, values: {}, detail: '', restored: true });
}
