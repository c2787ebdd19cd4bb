/** The entries that follow a request, read and checked as they come: what is done with them need not wait for the last. */
import { createHash, type Hash } from 'node:crypto';
import { setImmediate as everythingElse } from 'node:timers/promises';
import { HelperError } from '../../errors.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type { SectionContents } from '../../sections/section.js';
import { ListItem, type ApplyParams, type ContentsItem } from '../protocol.js';
import { ReceivedKeys } from './received-keys.js';
import { lineOfList, type PieceEntries } from './contents-source.js';
import { Brake, PieceQueue } from './piece-queue.js';
import { sectionOrRefuse } from './render.js';

/** Entries one section may have. */
export const MAX_ENTRIES = 1_000_000;
/** Bytes of the entries of one request, as they are kept: root's memory is not for the web side to fill. */
export const MAX_CONTENTS_BYTES = 64 * 1024 * 1024;

/** Bytes of entries, as they are kept, from which on there are many. */
const MANY_BYTES = 256 * 1024;

/** Lists of entries that wait for whoever takes them, before no more are read. */
const MOST_WAITING = 4;

/** Some entries of one section, each key once. */
export interface Piece {
  readonly entries: PieceEntries;
  /** The same as source text. */
  readonly text: Buffer;
}

/** What comes with one request for one section. */
export interface Incoming {
  /** Null: these are all entries there are. */
  readonly base: string | null;
  /** Has `call` called once so many are there that it is worth making something ready for them (`MANY_BYTES`). */
  whenMany(call: () => void): void;
  /** Read once, while they come. Throws at stage `validate` when one is refused, and then none of them counts. */
  readonly pieces: AsyncIterable<Piece>;
}

export interface Receiving {
  readonly sections: ReadonlyMap<string, Incoming>;
  /** Of each section's contents once this is applied. Rejects at stage `validate`; else all entries are in. */
  readonly digests: Promise<Digests>;
  /** The same where nobody takes the entries: they are read to their end. */
  drain(): Promise<Digests>;
}

type Digests = Readonly<Record<string, string>>;

/** Whether all entries of a section come, which takes as long as there are many. */
export function areAllEntries({ sections }: Receiving): boolean {
  return [...sections.values()].some(({ base }) => base === null);
}

/** Of a request without entries. */
export const NOTHING_FOLLOWS: Receiving = {
  sections: new Map(),
  digests: Promise.resolve({}),
  drain: () => Promise.resolve({}),
};

class Inbox implements Incoming {
  readonly pieces: PieceQueue<Piece>;
  readonly #keys = new ReceivedKeys();
  readonly #hash: Hash;
  #bytes = 0;
  #calls: (() => void)[] = [];

  constructor(
    readonly contents: SectionContents,
    readonly base: string | null,
    brake: Brake,
  ) {
    this.pieces = new PieceQueue(brake);
    this.#hash = createHash('sha256').update(`${base ?? ''}\n`);
  }

  get count(): number {
    return this.#keys.count;
  }

  whenMany(call: () => void): void {
    if (this.#bytes >= MANY_BYTES) call();
    else this.#calls.push(call);
  }

  /** Takes checked entries. Gives the first key that came before, and then they are not taken; null when none did. */
  take(entries: PieceEntries, text: Buffer): string | null {
    const twice = this.#keys.take(entries, text);
    if (twice !== null) return twice;
    // Whatever came together: with the same entries it is the same digest.
    this.#hash.update(text.subarray(0, -1)).update(',');
    this.pieces.push({ entries, text });
    this.#bytes += text.length;
    if (this.#bytes >= MANY_BYTES) for (const call of this.#calls.splice(0)) call();
    return null;
  }

  /** Of the section's contents once these are applied. Asked once. */
  digest(): string {
    return this.base !== null && this.count === 0 ? this.base : this.#hash.digest('hex');
  }
}

/** Begins to read and check the entries that follow a request: each key once, within the limits. */
export function receiveContents(
  announced: NonNullable<ApplyParams['contents']>,
  items: AsyncIterable<unknown>,
  registry: SectionRegistry,
  maxBytes = MAX_CONTENTS_BYTES,
): Receiving {
  const brake = new Brake(MOST_WAITING);
  const sections = new Map(
    Object.entries(announced).map(([id, { base }]): [string, Inbox] => {
      const { contents } = sectionOrRefuse(registry, id);
      if (!contents) throw refusedEntry(id, '');
      return [id, new Inbox(contents, base, brake)];
    }),
  );
  const end = (failure: Error | null): void => {
    for (const { pieces } of sections.values()) pieces.end(failure);
  };
  const digests = receiveAll(sections, items, { maxBytes, brake, onRefusal: end });
  digests.then(
    () => end(null),
    (error: unknown) => end(error as Error),
  );
  const drain = (): Promise<Digests> => {
    brake.release();
    return digests;
  };
  return { sections, digests, drain };
}

interface ReceiveOptions {
  readonly maxBytes: number;
  readonly brake: Brake;
  readonly onRefusal: (why: Error) => void;
}

/**
 * What follows one that is refused is read and thrown away: to end while the other side still sends would cut the
 * connection, and the answer with it (write(2): EPIPE). `onRefusal` is called at once.
 */
async function receiveAll(
  sections: ReadonlyMap<string, Inbox>,
  items: AsyncIterable<unknown>,
  { maxBytes, brake, onRefusal }: ReceiveOptions,
): Promise<Digests> {
  let bytes = 0;
  let section = '';
  let box: Inbox | undefined;
  const take = (item: unknown): void => {
    if (!(item instanceof ListItem)) {
      section = String((item as ContentsItem | null)?.section).slice(0, 64);
      box = sections.get(section);
    }
    if (!box) throw refusedEntry(section, '');
    if (!(item instanceof ListItem) || item.list.length === 0) return;
    const entries = checkedEntries(section, box, item.list);
    const text = lineOfList(item.line);
    bytes += text.length;
    if (bytes > maxBytes) throw tooMuch(section, maxBytes);
    const twice = box.take(entries, text);
    if (twice !== null) throw refusedEntry(section, twice);
    if (box.count > MAX_ENTRIES) throw tooMuch(section, maxBytes);
  };
  if (sections.size > 0) {
    let failure: Error | null = null;
    for await (const item of items) {
      if (failure) continue;
      try {
        take(item);
        await everythingElse();
        await brake.room();
      } catch (error) {
        failure = error as Error;
        onRefusal(failure);
      }
    }
    if (failure) throw failure;
  }
  return Object.fromEntries(Array.from(sections, ([id, box]) => [id, box.digest()]));
}

/** The same entries. Throws for one that the section does not take. */
function checkedEntries(
  section: string,
  { contents, base }: Inbox,
  entries: readonly unknown[],
): PieceEntries {
  for (const pair of entries) {
    if (!Array.isArray(pair) || pair.length !== 2) throw refusedEntry(section, '');
    const [key, entry] = pair as [string, unknown];
    const gone = entry === null && base !== null && contents.accepts(key, undefined);
    if (!gone && !contents.accepts(key, entry)) throw refusedEntry(section, key);
  }
  return entries as PieceEntries;
}

function tooMuch(section: string, maxBytes: number): HelperError {
  const values = { section, entries: MAX_ENTRIES, mib: maxBytes / 1024 / 1024 };
  return refused('helper.contents.size', values);
}

function refusedEntry(section: string, key: unknown): HelperError {
  const shown = typeof key === 'string' ? key.slice(0, 320) : '';
  return refused('helper.contents.entry', { section, key: shown });
}

function refused(key: string, values: Record<string, string | number>): HelperError {
  return new HelperError({ stage: 'validate', key, values, detail: '', restored: true });
}
