/**
 * What sections keep by key in lookup tables. A change crosses the border as a delta and is made in place; everything is
 * built anew only for many changes at once, for another rendering, or when the web side sent it all.
 */
import { HelperError } from '../../errors.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type { AllSettings, Section, SectionContents } from '../../sections/section.js';
import type { Paths } from '../paths.js';
import type { ConfigView } from '../postfix/config-view.js';
import type { AppliedContents, HelperState } from '../state.js';
import type { Incoming, Piece, Receiving } from './contents-received.js';
import {
  appendSource,
  readSource,
  sourceLine,
  startSource,
  type Entries,
  type NewSource,
} from './contents-source.js';
import {
  isIntact,
  isPresent,
  linesOf,
  renderEntries,
  stampsOf,
  type Line,
} from './contents-tables.js';
import { editedMeanwhile } from './decided.js';
import { editInPlace, IN_PLACE_KEYS, planEdit, type InPlaceEdit } from './in-place.js';
import type { Replacement } from './journal.js';
import { TableBuild } from './table-build.js';
import { refusedTable, tableFile, type BuiltTables } from './tables.js';

/** Bytes appended to a source text before it is written anew, where the text itself is shorter. */
const APPENDED_LIMIT_BYTES = 4 * 1024 * 1024;
/** Entries of a source text that are taken at once when all is built anew. */
const ENTRIES_OF_PIECE = 2_000;
/** Changed keys that are proved by asking Postfix whether it accepts mail for them. */
const PROVED_KEYS = 5;

export interface PlannedContents extends BuiltTables {
  readonly edits: readonly InPlaceEdit[];
  /** Addresses that Postfix must accept afterwards. */
  readonly recipients: readonly string[];
  /** Digests after the change, of the sections that came with it. */
  readonly digests: Readonly<Record<string, string>>;
  /** Nothing changes, the state neither. */
  readonly idle: boolean;
  /** Changes the tables in place and writes the source texts, once the new files are swapped in. */
  commit(): Promise<void>;
  /** What the state says of it afterwards. */
  applied(): Promise<HelperState['contents']>;
}

/** Tables that are being built for entries of which very many come, by name. */
export type EarlyBuilds = ReadonlyMap<string, TableBuild>;

/**
 * Has `postmap` started as soon as it is seen that very many entries come, while it is still found out what becomes of them:
 * it needs some time to begin. Nothing is left of it after `abandonBuilds`.
 */
export function beginBuilds(
  { sections }: Receiving,
  registry: SectionRegistry,
  paths: Paths,
): EarlyBuilds {
  const builds = new Map<string, TableBuild>();
  for (const { id, owns } of registry.all) {
    const incoming = sections.get(id);
    if (incoming?.base !== null) continue;
    for (const name of owns.tables) {
      const build = new TableBuild(name, paths);
      builds.set(name, build);
      incoming.whenMany(() => build.begin());
    }
  }
  return builds;
}

export async function abandonBuilds(builds: EarlyBuilds): Promise<void> {
  await Promise.all(Array.from(builds.values(), (build) => build.abandon()));
}

interface Context {
  readonly builds: EarlyBuilds;
  readonly registry: SectionRegistry;
  readonly state: HelperState;
  readonly settings: AllSettings;
  readonly view: ConfigView;
  readonly paths: Paths;
}

/** One section's part of the plan. */
interface Part {
  readonly section: string;
  readonly replacements: readonly Replacement[];
  readonly changed: BuiltTables['changed'];
  readonly edits: readonly InPlaceEdit[];
  readonly recipients: readonly string[];
  readonly appended: Buffer;
  readonly applied: Omit<AppliedContents, 'tables'>;
  readonly tables: readonly string[];
}

/**
 * What has to be done for the entries that come, and for those whose rendering changes with the settings. What can be made
 * while they come is. Throws at stage `validate`, with the key `helper.contents.base`, when a section's entries have to be
 * sent whole.
 */
export async function planContents(
  receiving: Receiving,
  requested: ReadonlySet<string>,
  context: Context,
): Promise<PlannedContents> {
  const parts: Part[] = [];
  for (const section of context.registry.all) {
    const part = await planSection(section, receiving, requested, context);
    if (part) parts.push(part);
  }
  const { state, paths } = context;
  return {
    replacements: parts.flatMap((part) => part.replacements),
    changed: parts.flatMap((part) => part.changed),
    edits: parts.flatMap((part) => part.edits),
    recipients: parts.flatMap((part) => part.recipients).slice(0, PROVED_KEYS),
    digests: await receiving.digests,
    idle: parts.length === 0,
    commit: async () => {
      for (const { section, edits, appended } of parts) {
        for (const edit of edits) await editInPlace(edit, paths);
        const bytes = state.contents[section]?.bytes ?? 0;
        if (appended.length > 0) await appendSource(paths, section, bytes, appended);
      }
    },
    applied: async () => {
      const applied = { ...state.contents };
      for (const { section, applied: one, tables } of parts) {
        applied[section] = { ...one, tables: await stampsOf(tables, paths) };
      }
      return applied;
    },
  };
}

async function planSection(
  section: Section,
  receiving: Receiving,
  requested: ReadonlySet<string>,
  context: Context,
): Promise<Part | null> {
  const { contents } = section;
  const was = context.state.contents[section.id];
  const got = receiving.sections.get(section.id);
  if (!contents) return null;
  if (!was && !got) {
    // Its tables have to be there before main.cf names them.
    if (requested.has(section.id)) throw otherBase(section.id);
    return null;
  }
  const rendering = contents.context(context.settings, context.view, was?.context ?? null);
  const same = was?.context === rendering;
  const digest = async () => (await receiving.digests)[section.id] ?? was?.digest ?? '';
  if (got?.base === null) {
    const all = { pieces: got.pieces, digest };
    return planWhole(section, contents, all, rendering, true, context);
  }
  if (!got && same) return null;
  if (!was || (got && got.base !== was.digest) || !(await isIntact(section, was, context.paths))) {
    throw otherBase(section.id);
  }
  const delta = { ...(await collect(got)), digest: await digest() };
  if (same && delta.entries.size === 0) return null;
  const whole = was.bytes - was.appended;
  const grown = was.appended > Math.max(APPENDED_LIMIT_BYTES, whole);
  if (same && !grown && delta.entries.size <= IN_PLACE_KEYS) {
    return planDelta(section, contents, delta, was, context.paths);
  }
  const entries = await readSource(context.paths, section.id, was.bytes);
  if (!entries) throw otherBase(section.id);
  let differs = false;
  for (const [key, entry] of delta.entries) {
    differs ||= JSON.stringify(entries.get(key) ?? null) !== JSON.stringify(entry);
    if (entry === null) entries.delete(key);
    else entries.set(key, entry);
  }
  const all = { pieces: inPieces([...entries]), digest };
  const part = await planWhole(section, contents, all, rendering, !same || !differs, context);
  return { ...part, recipients: recipientsOf(contents, delta.entries, rendering) };
}

/** All that comes, by its keys. */
async function collect(
  incoming: Incoming | undefined,
): Promise<{ readonly entries: Entries; readonly text: Buffer }> {
  const entries: Entries = new Map();
  const texts: Buffer[] = [];
  for await (const piece of incoming?.pieces ?? []) {
    for (const [key, entry] of piece.entries) entries.set(key, entry);
    texts.push(piece.text);
  }
  return { entries, text: Buffer.concat(texts) };
}

function* inPieces(entries: Piece['entries']): Iterable<Piece> {
  for (let first = 0; first < entries.length; first += ENTRIES_OF_PIECE) {
    const some = entries.slice(first, first + ENTRIES_OF_PIECE);
    yield { entries: some, text: sourceLine(some) };
  }
}

async function planDelta(
  section: Section,
  contents: SectionContents,
  delta: { readonly entries: Entries; readonly text: Buffer; readonly digest: string },
  was: AppliedContents,
  paths: Paths,
): Promise<Part> {
  const edits: InPlaceEdit[] = [];
  for (const [table, lines] of linesOf(section, contents, delta.entries, was.context)) {
    const edit = await planEdit(tableFile(paths, table), new Map(lines), paths);
    if (edit.wanted.length > 0) edits.push(edit);
  }
  const bytes = delta.text.length;
  return {
    section: section.id,
    replacements: [],
    changed: edits.map((edit) => ({ file: edit.file, secret: false, diff: diffOf(edit) })),
    edits,
    recipients: recipientsOf(contents, delta.entries, was.context),
    appended: delta.text,
    applied: {
      digest: delta.digest,
      context: was.context,
      bytes: was.bytes + bytes,
      appended: was.appended + bytes,
    },
    tables: section.owns.tables,
  };
}

interface AllEntries {
  readonly pieces: AsyncIterable<Piece> | Iterable<Piece>;
  /** Asked once the last piece was taken. */
  readonly digest: () => Promise<string>;
}

/**
 * Source text and tables, made while the entries come. `mayBeSame`: the tables may have these entries already; then they
 * are read first.
 */
async function planWhole(
  section: Section,
  contents: SectionContents,
  { pieces, digest }: AllEntries,
  rendering: string,
  mayBeSame: boolean,
  { paths, builds: begun }: Context,
): Promise<Part> {
  const before = await stampsOf(section.owns.tables, paths);
  const source = await startSource(paths, section.id);
  const builds = new Map(
    section.owns.tables.map((name) => [name, begun.get(name) ?? new TableBuild(name, paths)]),
  );
  try {
    const recipients: string[] = [];
    for await (const { entries, text } of pieces) {
      source.write(text);
      renderEntries(section, contents, entries, rendering, ({ table, key, value }) => {
        const build = builds.get(table);
        if (!build) throw refusedTable(table, '');
        if (value !== null) build.add(key, value);
      });
      for (const build of builds.values()) build.flush();
      if (recipients.length < PROVED_KEYS) {
        recipients.push(...recipientsOf(contents, entries, rendering));
      }
    }
    const made = await finishAll(source, builds, mayBeSame, paths);
    const now = await stampsOf(section.owns.tables, paths);
    const edited = section.owns.tables.find((name) => now[name] !== before[name]);
    if (edited !== undefined) throw editedMeanwhile(edited);
    return {
      section: section.id,
      ...made,
      edits: [],
      recipients: recipients.slice(0, PROVED_KEYS),
      appended: Buffer.alloc(0),
      applied: { digest: await digest(), context: rendering, bytes: made.bytes, appended: 0 },
      tables: section.owns.tables,
    };
  } catch (error) {
    await Promise.allSettled([source.abandon(), abandonBuilds(builds)]);
    throw error;
  }
}

/** The tables that are other than those in their places, and the source text. */
async function finishAll(
  source: NewSource,
  builds: ReadonlyMap<string, TableBuild>,
  mayBeSame: boolean,
  paths: Paths,
): Promise<BuiltTables & { readonly bytes: number }> {
  const replacements: Replacement[] = [];
  const changed: BuiltTables['changed'][number][] = [];
  // The text goes to disk while the tables are read back.
  const saving = source.finish();
  saving.catch(() => undefined);
  try {
    for (const [table, build] of builds) {
      const made = await build.finish(mayBeSame);
      if (made === null) continue;
      const { built, ...copied } = made;
      const file = tableFile(paths, table);
      const status = { uid: 0, gid: 0, mode: 0o644 };
      replacements.push({ file, content: { built }, status, table: true, ...copied });
      changed.push({ file, secret: false });
    }
  } catch (error) {
    // A full disk stops both, and only here its name is known.
    await saving;
    throw error;
  }
  const saved = await saving;
  const status = { uid: 0, gid: 0, mode: 0o600 };
  const text = { file: source.place, content: { built: saved.file }, status };
  return { replacements: [...replacements, text], changed, bytes: saved.bytes };
}

function recipientsOf(
  contents: SectionContents,
  entries: Iterable<Piece['entries'][number]>,
  rendering: string,
): readonly string[] {
  const recipients: string[] = [];
  for (const [key, entry] of entries) {
    const address = entry === null ? null : contents.recipient?.(key, rendering);
    if (address) recipients.push(address);
    if (recipients.length === PROVED_KEYS) break;
  }
  return recipients;
}

function diffOf({ wanted, undo }: InPlaceEdit): string {
  const lines = (sign: string, pairs: readonly Line[]): string[] =>
    pairs.filter(isPresent).map(([key, value]) => `${sign}${key}\t${value}\n`);
  return [...lines('-', undo), ...lines('+', wanted)].join('');
}

function otherBase(section: string): HelperError {
  const values = { section };
  const key = 'helper.contents.base';
  return new HelperError({ stage: 'validate', key, values, detail: '', restored: true });
}
