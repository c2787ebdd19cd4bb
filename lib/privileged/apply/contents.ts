/**
 * What sections keep by key in lookup tables. A change crosses the border as a delta and is made in place; everything is
 * built anew only for many changes at once, for another rendering, or when the web side sent it all.
 */
import { HelperError } from '../../errors.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type { AllSettings, Section, SectionContents } from '../../sections/section.js';
import type { Paths } from '../paths.js';
import type { ConfigView } from '../postfix/config-view.js';
import { digestOf, type AppliedContents, type HelperState } from '../state.js';
import type { Received, ReceivedContents } from './contents-received.js';
import {
  appendSource,
  readSource,
  sourceFile,
  sourceLine,
  writeSource,
  type Entries,
} from './contents-source.js';
import { isIntact, isPresent, linesOf, stampOf, stampsOf, type Line } from './contents-tables.js';
import { editInPlace, IN_PLACE_KEYS, planEdit, type InPlaceEdit } from './in-place.js';
import type { Replacement } from './journal.js';
import { buildTable, digestOfTable, tableFile, tableText, type BuiltTables } from './tables.js';

/** Bytes appended to a source text before it is written anew, where the text itself is shorter. */
const APPENDED_LIMIT_BYTES = 4 * 1024 * 1024;
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

interface Context {
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
  readonly appended: string;
  readonly applied: Omit<AppliedContents, 'tables'>;
  readonly tables: readonly string[];
}

/**
 * What has to be done for the entries received, and for those whose rendering changes with the settings.
 * Throws at stage `validate`, with the key `helper.contents.base`, when a section's entries have to be sent whole.
 */
export async function planContents(
  received: Received,
  requested: ReadonlySet<string>,
  context: Context,
): Promise<PlannedContents> {
  const parts: Part[] = [];
  for (const section of context.registry.all) {
    const part = await planSection(section, received.get(section.id), requested, context);
    if (part) parts.push(part);
  }
  const { state, paths } = context;
  const digests = [...received].map(([id, { digest }]) => [id, digest] as const);
  return {
    replacements: parts.flatMap((part) => part.replacements),
    changed: parts.flatMap((part) => part.changed),
    edits: parts.flatMap((part) => part.edits),
    recipients: parts.flatMap((part) => part.recipients).slice(0, PROVED_KEYS),
    digests: Object.fromEntries(digests),
    idle: parts.length === 0,
    commit: async () => {
      for (const { section, edits, appended } of parts) {
        for (const edit of edits) await editInPlace(edit, paths);
        const bytes = state.contents[section]?.bytes ?? 0;
        if (appended !== '') await appendSource(paths, section, bytes, appended);
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
  got: ReceivedContents | undefined,
  requested: ReadonlySet<string>,
  context: Context,
): Promise<Part | null> {
  const { contents } = section;
  const was = context.state.contents[section.id];
  if (!contents) return null;
  if (!was && !got) {
    // Its tables have to be there before main.cf names them.
    if (requested.has(section.id)) throw otherBase(section.id);
    return null;
  }
  const rendering = contents.context(context.settings, context.view, was?.context ?? null);
  const same = was?.context === rendering;
  if (got?.base === null) return planWhole(section, contents, got, rendering, true, context);
  if (!got && same) return null;
  if (!was || (got && got.base !== was.digest) || !(await isIntact(section, was, context.paths))) {
    throw otherBase(section.id);
  }
  const delta = got ?? { entries: new Map() as Entries, digest: was.digest, text: '' };
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
  const text = Array.from(entries, ([key, entry]) => sourceLine(key, entry)).join('');
  const all = { entries, text, digest: delta.digest };
  const part = await planWhole(section, contents, all, rendering, !same || !differs, context);
  return { ...part, recipients: recipientsOf(contents, delta.entries, rendering) };
}

async function planDelta(
  section: Section,
  contents: SectionContents,
  delta: Pick<ReceivedContents, 'entries' | 'text' | 'digest'>,
  was: AppliedContents,
  paths: Paths,
): Promise<Part> {
  const edits: InPlaceEdit[] = [];
  for (const [table, lines] of linesOf(section, contents, delta.entries, was.context)) {
    const edit = await planEdit(tableFile(paths, table), new Map(lines), paths);
    if (edit.wanted.length > 0) edits.push(edit);
  }
  const bytes = Buffer.byteLength(delta.text);
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

/** `mayBeSame`: the tables may have these entries already; then they are read first. */
async function planWhole(
  section: Section,
  contents: SectionContents,
  { entries, text, digest }: Pick<ReceivedContents, 'entries' | 'text' | 'digest'>,
  rendering: string,
  mayBeSame: boolean,
  { paths }: Context,
): Promise<Part> {
  // postmap works while the source text is written.
  const [tables, source] = await Promise.allSettled([
    buildChanged(linesOf(section, contents, entries, rendering), mayBeSame, paths),
    writeSource(paths, section.id, text),
  ]);
  if (tables.status === 'rejected') throw tables.reason;
  if (source.status === 'rejected') throw source.reason;
  const status = { uid: 0, gid: 0, mode: 0o600 };
  const file = sourceFile(paths, section.id);
  return {
    section: section.id,
    replacements: [
      ...tables.value.replacements,
      { file, content: { built: source.value }, status },
    ],
    changed: tables.value.changed,
    edits: [],
    recipients: recipientsOf(contents, entries, rendering),
    appended: '',
    applied: { digest, context: rendering, bytes: Buffer.byteLength(text), appended: 0 },
    tables: section.owns.tables,
  };
}

async function buildChanged(
  tables: ReadonlyMap<string, readonly Line[]>,
  mayBeSame: boolean,
  paths: Paths,
): Promise<BuiltTables> {
  const replacements: Replacement[] = [];
  const changed: BuiltTables['changed'][number][] = [];
  for (const [table, lines] of tables) {
    const file = tableFile(paths, table);
    const wanted = tableText(table, lines.filter(isPresent));
    const there = mayBeSame && (await stampOf(file)) !== '';
    if (there && digestOf(wanted) === (await digestOfTable(file, paths))) continue;
    const built = await buildTable(table, wanted, false, paths);
    const status = { uid: 0, gid: 0, mode: 0o644 };
    replacements.push({ file, content: { built }, status, table: true });
    changed.push({ file, secret: false });
  }
  return { replacements, changed };
}

function recipientsOf(
  contents: SectionContents,
  entries: Entries,
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
