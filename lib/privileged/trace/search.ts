/** Searches the mail log, the newest lines first: tells each mail, or each refusal, as soon as it is found. */
import {
  MAX_FOUND,
  MAX_FOUND_LENGTH,
  MAX_SEARCH_SECONDS,
  type FoundMessage,
  type LogLine,
  type SearchEnd,
  type SearchLimit,
  type Wanted,
} from '../../trace/schema.js';
import { holdsPart, isBeyondAscii } from '../../domains/schema.js';
import { timeOf } from '../../trace/line.js';
import { idsOf } from '../../trace/links.js';
import { blocksBefore, comparePlaces, seek, type Place } from './blocks.js';
import type { LogFiles } from './log-files.js';
import { followMail, PROBE, readLogLine, type Stretch } from './trail.js';

const BLOCKS = { first: 256 * 1024, most: 1024 * 1024 };
/** How much is read at once to find where a time lies, in bytes. */
const SEEK_BYTES = 64 * 1024;
/** How often it is told how far the search is, in milliseconds. */
const TELL_MS = 250;
/** What a line counts for beside its text, in characters. */
const LINE_LENGTH = 40;

/** A mail that was queued, and one that never was. */
const ANY_MAIL = / from=<|: NOQUEUE: /g;
const ANY_REFUSAL =
  /: NOQUEUE: (?!proxy-accept|client=)|: [0-9A-Za-z]{6,41}: (?:milter-)?reject(?:_warning)?: | Blocked | authentication failed| (?:rate|count) limit exceeded|\((?:2\d\d )[^)]*(?:discarded|BOUNCE|BLOCKED)|PREGREET /g;

export interface SearchParts {
  readonly files: LogFiles;
  readonly wanted: Wanted;
  readonly signal: AbortSignal;
  readonly onFound: (message: FoundMessage) => Promise<void>;
  /** Bytes that were looked through. */
  readonly onProgress: (searched: number) => void;
  readonly now?: () => number;
  readonly maxFound?: number;
  readonly maxSeconds?: number;
}

/** Ends the search from within. */
class Over extends Error {
  constructor(readonly limit: SearchLimit) {
    super(limit);
  }
}

export async function searchLog(parts: SearchParts): Promise<SearchEnd> {
  const search = new Search(parts);
  let limit: SearchLimit | null = null;
  try {
    await search.run();
  } catch (error) {
    if (!(error instanceof Over)) throw error;
    ({ limit } = error);
  }
  const { files } = parts;
  return {
    limit: limit ?? (files.outOfRoom ? 'unpacked' : null),
    source: files.source,
    searched: search.searched,
    reached: search.reached,
    unreadable: files.unreadable,
  };
}

class Search {
  searched = 0;
  reached = 0;
  #found = 0;
  #length = 0;
  #told = 0;
  readonly #known = new Map<string, Stretch[]>();
  readonly #deadline: number;
  readonly #pattern: RegExp;
  readonly #fits: (line: LogLine) => boolean;
  readonly #now: () => number;

  constructor(private readonly parts: SearchParts) {
    const { wanted, now = Date.now, maxSeconds = MAX_SEARCH_SECONDS } = parts;
    this.#now = now;
    this.#deadline = now() + maxSeconds * 1000;
    this.#pattern = patternOf(wanted);
    this.#fits = lineTest(wanted);
  }

  async run(): Promise<void> {
    const { files, wanted } = this.parts;
    files.onUnpacking = this.#alive;
    let whole = 0;
    for (let index = 0; index < files.count; index += 1) {
      this.#alive();
      if (wanted.since > 0 && files.endOf(index) < wanted.since) return;
      const piece = await files.piece(index);
      if (piece === null) continue;
      const at = wanted.until > 0 ? await this.#placeOf(piece, wanted.until) : piece.size;
      let before = piece.end;
      for await (const block of blocksBefore(files, { piece: index, at }, BLOCKS)) {
        if (block.piece !== index) break;
        this.#alive();
        await this.#look(block, before);
        const oldest = timeOf(block.text.slice(0, 64), before);
        if (oldest !== null) {
          before = oldest;
          this.reached = oldest;
        }
        // Packed logs are counted as they lie there.
        const share = piece.size === 0 ? 1 : (piece.size - block.at) / piece.size;
        this.#tell(whole + share * files.bytesOf(index));
        if (oldest !== null && wanted.since > 0 && oldest < wanted.since) return;
      }
      whole += files.bytesOf(index);
      this.#tell(whole);
    }
  }

  /** Ends the search when it is over. */
  #alive = (): void => {
    if (this.parts.signal.aborted) throw new Over('cancelled');
    if (this.#now() > this.#deadline) throw new Over('time');
  };

  #tell(searched: number): void {
    this.searched = Math.floor(searched);
    const now = this.#now();
    if (now - this.#told < TELL_MS) return;
    this.#told = now;
    this.parts.onProgress(this.searched);
  }

  #placeOf(piece: Parameters<typeof seek>[0], until: number): Promise<number> {
    const after = (line: string): boolean => (timeOf(line, piece.end) ?? 0) > until;
    return seek(piece, after, SEEK_BYTES);
  }

  /** All that fits in one block, the newest first. */
  async #look(block: Place & { readonly text: string }, end: number): Promise<void> {
    const { text } = block;
    const starts: number[] = [];
    this.#pattern.lastIndex = 0;
    for (let hit = this.#pattern.exec(text); hit; hit = this.#pattern.exec(text)) {
      starts.push(text.lastIndexOf('\n', hit.index) + 1);
      const newline = text.indexOf('\n', hit.index);
      if (newline < 0) break;
      this.#pattern.lastIndex = newline;
    }
    for (const start of starts.reverse()) {
      const newline = text.indexOf('\n', start);
      const line = readLogLine(text.slice(start, newline < 0 ? text.length : newline), end);
      if (line === null || line.program.includes(PROBE) || !this.#inTime(line)) continue;
      if (!this.#fits(line)) continue;
      this.reached = line.at;
      await this.#take(line, { piece: block.piece, at: block.at + start });
    }
  }

  #inTime({ at }: LogLine): boolean {
    const { since, until } = this.parts.wanted;
    return at >= since && (until === 0 || at <= until);
  }

  async #take(line: LogLine, place: Place): Promise<void> {
    const { files, wanted } = this.parts;
    const { own, linked } = idsOf(line);
    const id = own === '' ? (linked[0] ?? '') : own;
    if (wanted.kind === 'refusals' || id === '') {
      if (wanted.kind === 'messages' && !isRefusal(line)) return;
      await this.#give({
        ids: own === '' ? [] : [own],
        lines: [line],
        leftOut: 0,
        headless: false,
      });
      return;
    }
    if (this.#isKnown(id, place)) return;
    const { message, stretches } = await followMail(files, id, place, this.#alive);
    for (const [name, stretch] of stretches) {
      this.#known.set(name, [...(this.#known.get(name) ?? []), stretch]);
    }
    if (message.lines.length > 0 && hasAll(message.lines, wanted)) await this.#give(message);
  }

  #isKnown(id: string, place: Place): boolean {
    return (this.#known.get(id) ?? []).some(
      ({ from, to }) => comparePlaces(from, place) <= 0 && comparePlaces(place, to) <= 0,
    );
  }

  async #give(message: FoundMessage): Promise<void> {
    const { maxFound = MAX_FOUND, onFound } = this.parts;
    this.#found += 1;
    this.#length += message.lines.reduce((sum, { text }) => sum + text.length + LINE_LENGTH, 0);
    await onFound(message);
    if (this.#found >= maxFound) throw new Over('rows');
    if (this.#length >= MAX_FOUND_LENGTH) throw new Over('size');
  }
}

/** Finds lines that are worth a closer look, quickly. Text of the log is one character a byte. */
function patternOf({ kind, id, messageId, recipient, sender, text }: Wanted): RegExp {
  if (id !== '') return new RegExp(`(?<![0-9A-Za-z])${id}(?![0-9A-Za-z])`, 'g');
  if (messageId !== '') return literal(messageId);
  if (recipient !== '') return literal(recipient);
  if (sender !== '') return sender === '<>' ? / from=<>/g : literal(sender);
  if (kind === 'refusals') return text === '' ? ANY_REFUSAL : literal(text);
  return ANY_MAIL;
}

function literal(text: string): RegExp {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  const escaped = bytes.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
  // A domain with an umlaut stands there as A-labels.
  return new RegExp(isBeyondAscii(text) ? `${escaped}|xn--` : escaped, 'gi');
}

/** Whether a line has what is looked for where it counts, so that nobody's name in another place is followed. */
function lineTest(wanted: Wanted): (line: LogLine) => boolean {
  const { kind, id, messageId, recipient, sender, text } = wanted;
  if (id !== '') {
    return (line) => {
      const { own, linked } = idsOf(line);
      return own === id || linked.includes(id);
    };
  }
  if (kind === 'refusals') {
    return (line) => {
      ANY_REFUSAL.lastIndex = 0;
      if (!ANY_REFUSAL.test(`: ${line.text}`)) return false;
      return holdsPart(line.text, text) && hasAll([line], wanted);
    };
  }
  if (messageId !== '') return ({ text: said }) => has(said, MESSAGE_ID, messageId);
  if (recipient !== '') return ({ text: said }) => has(said, RECIPIENT, recipient);
  if (sender !== '') return ({ text: said }) => has(said, SENDER, sender);
  return () => true;
}

const SENDER = /(?:^|[ ,;])from=<(.*?)>(?=[,; ]|$)/g;
const RECIPIENT = /(?:^|[ ,;])(?:orig_)?to=<(.*?)>(?=[,; ]|$)/g;
const MESSAGE_ID = /message-id=(.*)$/gi;

/** All that is looked for stands somewhere in these lines. */
function hasAll(lines: readonly LogLine[], { sender, recipient, messageId }: Wanted): boolean {
  const somewhere = (pattern: RegExp, part: string): boolean =>
    part === '' || lines.some(({ text }) => has(text, pattern, part));
  return (
    somewhere(SENDER, sender) && somewhere(RECIPIENT, recipient) && somewhere(MESSAGE_ID, messageId)
  );
}

function has(text: string, pattern: RegExp, part: string): boolean {
  return [...text.matchAll(pattern)].some(([, value = '']) =>
    part === '<>' ? value === '' : holdsPart(value, part),
  );
}

/** A mail that was turned away before it had an id. */
function isRefusal({ text }: LogLine): boolean {
  return /^NOQUEUE: (?!proxy-accept|client=)/.test(text);
}
