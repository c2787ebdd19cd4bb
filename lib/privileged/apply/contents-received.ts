/** The entries that follow a request, read and checked before anything else is done. */
import { createHash } from 'node:crypto';
import { HelperError } from '../../errors.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type { ApplyParams, ContentsItem } from '../protocol.js';
import { sourceLine, type Entries } from './contents-source.js';
import { sectionOrRefuse } from './render.js';

/** Entries one section may have. */
export const MAX_ENTRIES = 1_000_000;
/** Bytes of the entries of one request, as they are kept: root's memory is not for the web side to fill. */
export const MAX_CONTENTS_BYTES = 64 * 1024 * 1024;

/** What came with one request for one section. */
export interface ReceivedContents {
  /** Null: these are all entries there are. */
  readonly base: string | null;
  readonly entries: Entries;
  /** The same as source text. */
  readonly text: string;
  /** Of the contents once this is applied. */
  readonly digest: string;
}

export type Received = ReadonlyMap<string, ReceivedContents>;

/** Reads and checks the entries that follow a request: each key once, within the limits. Throws at stage `validate`. */
export async function receiveContents(
  announced: NonNullable<ApplyParams['contents']>,
  items: AsyncIterable<unknown>,
  registry: SectionRegistry,
  maxBytes = MAX_CONTENTS_BYTES,
): Promise<Received> {
  const inbox = new Map(
    Object.entries(announced).map(([id, { base }]) => {
      const { contents } = sectionOrRefuse(registry, id);
      if (!contents) throw refusedEntry(id, '');
      const hash = createHash('sha256').update(`${base ?? ''}\n`);
      return [id, { contents, base, entries: new Map() as Entries, lines: [] as string[], hash }];
    }),
  );
  let bytes = 0;
  if (inbox.size > 0) {
    for await (const item of items) {
      const { section, entries } = item as ContentsItem;
      const box = inbox.get(section);
      if (!box || !Array.isArray(entries)) throw refusedEntry(String(section).slice(0, 64), '');
      for (const pair of entries as readonly unknown[]) {
        if (!Array.isArray(pair)) throw refusedEntry(section, '');
        const [key, entry] = pair as [string, unknown];
        const gone = entry === null && box.base !== null && box.contents.accepts(key, undefined);
        if (!gone && !box.contents.accepts(key, entry ?? null)) throw refusedEntry(section, key);
        if (box.entries.has(key)) throw refusedEntry(section, key);
        const line = sourceLine(key, entry);
        bytes += Buffer.byteLength(line);
        if (bytes > maxBytes || box.entries.size >= MAX_ENTRIES) throw tooMuch(section, maxBytes);
        box.entries.set(key, entry);
        box.lines.push(line);
        box.hash.update(line);
      }
    }
  }
  return new Map(
    [...inbox].map(([id, { base, entries, lines, hash }]) => {
      const unchanged = base !== null && entries.size === 0;
      const digest = unchanged ? base : hash.digest('hex');
      return [id, { base, entries, text: lines.join(''), digest }];
    }),
  );
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
