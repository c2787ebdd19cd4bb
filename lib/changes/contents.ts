/**
 * Contents of sections (see `SectionContents`): to the helper cross only the entries that a change's rows mean, with the
 * digest of the contents they change; everything crosses when the helper does not know that base.
 */
import type { Knex } from 'knex';
import { ListLine } from '../client/list-line.js';
import type { HelperTransport } from '../contract.js';
import { HelperError } from '../errors.js';
import type { ApplyParams, ApplyResult, ContentsItem } from '../privileged/protocol.js';
import type { ContentsSource, SettingsSource, TouchedRow } from './change.js';
import { readAhead } from './read-ahead.js';
import { sendWhole, unknownRows } from './row-changes.js';

const KEY = 'contents';

export type Digests = Readonly<Record<string, string>>;
type Announced = NonNullable<ApplyParams['contents']>;

/** The rows of a change: in hand, or read page by page once they are saved. */
export type ChangedRows =
  readonly TouchedRow[] | { pages(db: Knex): AsyncIterable<readonly TouchedRow[]> };

/** What rows mean as entries: in hand, or page by page. */
type Delta = ReadonlyMap<string, unknown> | { pages(db: Knex): AsyncIterable<Entries> };

interface SectionToSend {
  readonly source: ContentsSource;
  readonly base: string | null;
  readonly delta: Delta;
}

/** What goes with one `apply`. */
export interface ContentsToSend {
  readonly sections: ReadonlyMap<string, SectionToSend>;
  /** For a section that the change does not touch, but whose entries the helper asks for. */
  readonly sources: ReadonlyMap<string, SettingsSource>;
  readonly db: Knex;
}

/**
 * The contents of these sections with what `rows` change; null for everything there is, of a change with too many rows.
 * `reader` sees what is committed once the helper is asked.
 */
export async function collectContents(
  db: Knex,
  reader: Knex,
  sources: ReadonlyMap<string, SettingsSource>,
  ids: readonly string[],
  rows: ChangedRows | null,
  known?: Digests,
): Promise<ContentsToSend> {
  const digests = known ?? (await readDigests(db));
  const sections = new Map<string, SectionToSend>();
  for (const id of ids) {
    const source = sources.get(id)?.contents;
    if (!source) continue;
    const base = rows === null ? null : (digests[id] ?? null);
    sections.set(id, { source, base, delta: deltaOf(source, rows ?? []) });
  }
  return { sections, sources, db: reader };
}

function deltaOf(source: ContentsSource, rows: ChangedRows): Delta {
  if (!('pages' in rows)) return source.delta(rows);
  return {
    pages: async function* (db) {
      for await (const page of rows.pages(db)) yield [...source.delta(page)];
    },
  };
}

/** Asks with deltas, and again with all entries, or all rows, of a section as often as the helper has another base. */
export async function requestWithContents(
  helper: HelperTransport,
  first: ApplyParams,
  actor: string,
  contents: ContentsToSend | null,
): Promise<unknown> {
  if (!contents) return helper.request('apply', { ...first }, { actor });
  let params = first;
  let sections = new Map(contents.sections);
  for (;;) {
    try {
      if (sections.size === 0) return await helper.request('apply', { ...params }, { actor });
      const announced: Announced = Object.fromEntries(
        [...sections].map(([id, { base }]) => [id, { base }]),
      );
      const input = itemsOf(sections, contents.db);
      return await helper.request('apply', { ...params, contents: announced }, { actor, input });
    } catch (error) {
      const rowsOf = unknownRows(error, params);
      if (rowsOf !== null) {
        params = await sendWhole(params, rowsOf, contents.sources, contents.db);
        continue;
      }
      const id = unknownBase(error);
      const source = id === null ? undefined : contents.sources.get(id)?.contents;
      const asked = id === null ? undefined : sections.get(id);
      if (id === null || !source || asked?.base === null) throw error;
      const delta = asked?.delta ?? new Map<string, unknown>();
      sections = new Map(sections).set(id, { source, base: null, delta });
    }
  }
}

/** A request's lines have a limit (`MAX_LINE_BYTES`), and an alias may have many targets: longer none is. */
const LINE_CHARS = 256 * 1024;
/** Entries of one line: the helper does nothing else while it checks them, about two milliseconds. */
const ENTRIES_OF_LINE = 1_000;

/**
 * Pages that are read while the helper starts, looks at the configuration and makes everything ready: some megabytes. It is
 * slower in the beginning than it is later, and must not wait for them then.
 */
const PAGES_AHEAD = 32;

type Entries = readonly (readonly [key: string, entry: unknown])[];

/** The same entries in lines that the helper takes: an import may be of 100,000. */
function* inLines(entries: Entries): Iterable<ListLine> {
  for (let from = 0; from < entries.length; from += ENTRIES_OF_LINE) {
    yield* inShortLines(entries.slice(from, from + ENTRIES_OF_LINE));
  }
}

function* inShortLines(entries: Entries): Iterable<ListLine> {
  const line = new ListLine(JSON.stringify(entries));
  if (line.text.length <= LINE_CHARS || entries.length === 1) {
    yield line;
    return;
  }
  const half = Math.ceil(entries.length / 2);
  yield* inShortLines(entries.slice(0, half));
  yield* inShortLines(entries.slice(half));
}

/** In what was saved, what the change says counts: a dry run is asked before anything is written. Pages are saved already. */
async function* itemsOf(
  sections: ReadonlyMap<string, SectionToSend>,
  db: Knex,
): AsyncIterable<ContentsItem | ListLine> {
  for (const [section, { source, base, delta }] of sections) {
    yield { section };
    if ('pages' in delta) {
      const pages = base === null ? source.all(db) : delta.pages(db);
      for await (const page of readAhead(pages, PAGES_AHEAD)) yield* inLines(page);
      continue;
    }
    if (base !== null) {
      yield* inLines([...delta]);
      continue;
    }
    for await (const page of readAhead(source.all(db), PAGES_AHEAD)) {
      yield* inLines(delta.size === 0 ? page : page.filter(([key]) => !delta.has(key)));
    }
    yield* inLines([...delta].filter(([, entry]) => entry !== null));
  }
}

function unknownBase(error: unknown): string | null {
  if (!(error instanceof HelperError) || error.key !== 'helper.contents.base') return null;
  return String(error.values['section'] ?? '');
}

export async function readDigests(db: Knex): Promise<Digests> {
  const row = await db('mail_meta').where('key', KEY).first<{ value: Digests }>('value');
  return row?.value ?? {};
}

/** Remembers what the system has now. A section the result says nothing of is sent whole the next time. */
export async function noteContents(
  trx: Knex.Transaction,
  result: ApplyResult | null,
): Promise<void> {
  const digests = result?.contents ?? {};
  if (Object.keys(digests).length === 0) return;
  await trx('mail_meta')
    .insert({ key: KEY, value: JSON.stringify({ ...(await readDigests(trx)), ...digests }) })
    .onConflict('key')
    .merge();
}

/** Whether the system ever got contents of this section. */
export async function wasEverSent(db: Knex, section: string): Promise<boolean> {
  return section in (await readDigests(db));
}
