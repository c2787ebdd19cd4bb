/** The entries that follow a request, read and checked as they come: what is done with them need not wait for the last. */
import { createHash, type Hash } from 'node:crypto';
import { setImmediate as everythingElse } from 'node:timers/promises';
import { HelperError } from '../../errors.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type { SectionContents } from '../../sections/section.js';
import { ListItem, type ApplyParams, type ContentsItem } from '../protocol.js';
import { ReceivedKeys } from './received-keys.js';
import { lineOfList, type PieceEntries } from './contents-source.js';
import { PieceQueue } from './piece-queue.js';
import { sectionOrRefuse } from './render.js';

/** Entries one section may have. */
export const MAX_ENTRIES = 1_000_000;
/** Bytes of the entries of one request, as they are kept: root's memory is not for the web side to fill. */
export const MAX_CONTENTS_BYTES = 64 * 1024 * 1024;

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
  /** Read once, while they come. Throws at stage `validate` when one is refused, and then none of them counts. */
  readonly pieces: AsyncIterable<Piece>;
}

export interface Receiving {
  readonly sections: ReadonlyMap<string, Incoming>;
  /** Of each section's contents once this is applied. Rejects at stage `validate`; else all entries are in. */
  readonly digests: Promise<Readonly<Record<string, string>>>;
}

/** Whether all entries of a section come, which takes as long as there are many. */
export function areAllEntries({ sections }: Receiving): boolean {
  return [...sections.values()].some(({ base }) => base === null);
}

/** Of a request without entries. */
export const NOTHING_FOLLOWS: Receiving = { sections: new Map(), digests: Promise.resolve({}) };

interface Inbox extends Incoming {
  readonly contents: SectionContents;
  readonly pieces: PieceQueue<Piece>;
  readonly keys: ReceivedKeys;
  readonly hash: Hash;
}

/** Begins to read and check the entries that follow a request: each key once, within the limits. */
export function receiveContents(
  announced: NonNullable<ApplyParams['contents']>,
  items: AsyncIterable<unknown>,
  registry: SectionRegistry,
  maxBytes = MAX_CONTENTS_BYTES,
): Receiving {
  const sections = new Map(
    Object.entries(announced).map(([id, { base }]): [string, Inbox] => {
      const { contents } = sectionOrRefuse(registry, id);
      if (!contents) throw refusedEntry(id, '');
      const hash = createHash('sha256').update(`${base ?? ''}\n`);
      return [id, { contents, base, pieces: new PieceQueue(), keys: new ReceivedKeys(), hash }];
    }),
  );
  const end = (failure: Error | null): void => {
    for (const { pieces } of sections.values()) pieces.end(failure);
  };
  const digests = receiveAll(sections, items, { maxBytes, onRefusal: end });
  digests.then(
    () => end(null),
    (error: unknown) => end(error as Error),
  );
  return { sections, digests };
}

/**
 * What follows one that is refused is read and thrown away: to end while the other side still sends would cut the
 * connection, and the answer with it (write(2): EPIPE). `onRefusal` is called at once.
 */
async function receiveAll(
  sections: ReadonlyMap<string, Inbox>,
  items: AsyncIterable<unknown>,
  { maxBytes, onRefusal }: { readonly maxBytes: number; readonly onRefusal: (why: Error) => void },
): Promise<Readonly<Record<string, string>>> {
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
    const twice = box.keys.take(entries, text);
    if (twice !== null) throw refusedEntry(section, twice);
    if (box.keys.count > MAX_ENTRIES) throw tooMuch(section, maxBytes);
    // Whatever came together: with the same entries it is the same digest.
    box.hash.update(text.subarray(0, -1)).update(',');
    box.pieces.push({ entries, text });
  };
  if (sections.size > 0) {
    let failure: Error | null = null;
    for await (const item of items) {
      if (failure) continue;
      try {
        take(item);
        await everythingElse();
      } catch (error) {
        failure = error as Error;
        onRefusal(failure);
      }
    }
    if (failure) throw failure;
  }
  return Object.fromEntries(
    Array.from(sections, ([id, { base, keys, hash }]) => {
      const unchanged = base !== null && keys.count === 0;
      return [id, unchanged ? base : hash.digest('hex')];
    }),
  );
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
