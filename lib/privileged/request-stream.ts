/** Reads the lines of one request, with limits, and notices when the other side cancels or goes away. */
import type { Readable } from 'node:stream';
import { HelperError } from '../errors.js';
import { parseJson } from './safe-json.js';
import {
  ListItem,
  MAX_LINE_BYTES,
  PROTOCOL_VERSION,
  REQUEST_TIMEOUT_MS,
  STANDBY_TIMEOUT_MS,
  type Request,
} from './protocol.js';

/** Bytes of lines that wait for an action to take them, before we stop reading. */
const MAX_WAITING_BYTES = MAX_LINE_BYTES;
/** Longest login a request may name. */
const MAX_ACTOR_LENGTH = 256;

export interface RequestStream {
  /**
   * The request. Throws at stage `protocol` when the first line is none, or not there in time. Where a standby line comes
   * before it, `getReady` is called with the action that is expected; null when in the end nobody needed it.
   */
  request(getReady?: (action: string) => Promise<void>): Promise<Request | null>;
  /** Items that follow, until the end line. Ends early after a cancel line. */
  readonly items: AsyncIterable<unknown>;
  /** Aborted by a cancel line, or by the end of the connection, whether or not somebody reads the items. */
  readonly signal: AbortSignal;
}

type Line = Readonly<Record<string, unknown>>;

const [LIST_BEGINS, LIST_ENDS] = [0x5b, 0x5d];

export function readRequestStream(input: Readable): RequestStream {
  const lines = new LineQueue(input);
  return {
    signal: lines.signal,
    request: async (getReady) => {
      const line = await lineWithin(lines, REQUEST_TIMEOUT_MS);
      if (line === 'late') throw refused('helper.protocol.slow');
      if (line === null) throw refused('helper.protocol.empty');
      if (!('standby' in line)) return parseRequest(line);
      const expected = parseStandby(line);
      await getReady?.(expected);
      const request = await lineWithin(lines, STANDBY_TIMEOUT_MS);
      return request === 'late' || request === null ? null : parseRequest(request);
    },
    items: { [Symbol.asyncIterator]: () => readItems(lines) },
  };
}

/** Null at the end of the connection. Throws when what came is no line of the protocol. */
async function lineWithin(lines: LineQueue, limitMs: number): Promise<Line | null | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), limitMs);
  });
  try {
    const line = await Promise.race([lines.next(), late]);
    if (line instanceof ListItem) throw refused('helper.protocol.malformed');
    return line;
  } finally {
    clearTimeout(timer);
  }
}

function parseStandby({ protocol, standby, ...rest }: Line): string {
  if (protocol !== PROTOCOL_VERSION) throw refused('helper.protocol.version');
  if (typeof standby !== 'string' || Object.keys(rest).length > 0) {
    throw refused('helper.protocol.malformed');
  }
  return standby;
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
    if (line instanceof ListItem) {
      yield line;
      continue;
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
  /** Lists wait as they came: as values they would take several times the memory. */
  readonly #waiting: { readonly line: Line | Buffer; readonly bytes: number }[] = [];
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
  async next(): Promise<Line | ListItem | null> {
    while (this.#waiting.length === 0 && !this.#over) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const next = this.#waiting.shift();
    if (next) {
      this.#waitingBytes -= next.bytes;
      if (this.#waitingBytes <= MAX_WAITING_BYTES) this.input.resume();
      return Buffer.isBuffer(next.line) ? this.#parseList(next.line) : next.line;
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
    const line = bytes[0] === LIST_BEGINS ? bytes : this.#parseLine(bytes);
    if (!Buffer.isBuffer(line) && line['cancel'] === true) {
      this.cancelled = true;
      this.#end();
      return;
    }
    this.#waiting.push({ line, bytes: bytes.length });
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.input.pause();
  }

  #parseLine(bytes: Buffer): Line {
    const value = this.#parse(bytes);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw refused('helper.protocol.malformed');
    }
    return value as Line;
  }

  /** What is kept as it came has nothing around it. */
  #parseList(bytes: Buffer): ListItem {
    try {
      const value = this.#parse(bytes);
      if (!Array.isArray(value) || bytes.at(-1) !== LIST_ENDS) {
        throw refused('helper.protocol.malformed');
      }
      return new ListItem(value, bytes);
    } catch (error) {
      this.#failure = error as Error;
      this.#end();
      throw error;
    }
  }

  #parse(bytes: Buffer): unknown {
    try {
      return parseJson(this.#decoder.decode(bytes));
    } catch {
      throw refused('helper.protocol.malformed');
    }
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
