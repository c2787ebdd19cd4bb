/** The tables of a section's contents: what should stand in them, and whether it still does. */
import { HelperError } from '../../errors.js';
import type { ContentsLine, Section, SectionContents } from '../../sections/section.js';
import type { Paths } from '../paths.js';
import { contentsStampOf } from '../stamp.js';
import { digestOf, type AppliedContents } from '../state.js';
import { readSource } from './contents-source.js';
import { digestOfTable, refusedTable, tableFile, tableText } from './tables.js';

export type Line = readonly [key: string, value: string | null];

/** The lines of all the section's tables; a table no entry speaks of has none. */
export function linesOf(
  section: Section,
  contents: SectionContents,
  entries: Iterable<readonly [key: string, entry: unknown]>,
  rendering: string,
): Map<string, Line[]> {
  const tables = new Map<string, Line[]>(section.owns.tables.map((name) => [name, []]));
  renderEntries(section, contents, entries, rendering, ({ table, key, value }) => {
    const lines = tables.get(table);
    if (!lines) throw refusedTable(table, '');
    lines.push([key, value]);
  });
  return tables;
}

/** Renders one entry after the other and has `take` called for each line. Throws at stage `render`. */
export function renderEntries(
  section: Section,
  contents: SectionContents,
  entries: Iterable<readonly [key: string, entry: unknown]>,
  rendering: string,
  take: (line: ContentsLine) => void,
): void {
  let key = '';
  try {
    for (const [name, entry] of entries) {
      key = name;
      for (const line of contents.render(name, entry, rendering)) take(line);
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new HelperError(
      {
        stage: 'render',
        key: 'helper.contents.render',
        values: { section: section.id, key },
        detail: cause.message,
        restored: true,
      },
      { cause },
    );
  }
}

export function isPresent(line: Line): line is readonly [string, string] {
  return line[1] !== null;
}

/** Whether the tables are as we left them. A copy with the same entries, from a backup say, is as good. */
export async function isIntact(
  section: Section,
  was: AppliedContents,
  paths: Paths,
): Promise<boolean> {
  return (await alteredTables(section, was, paths)).length === 0;
}

/** Tables that answer something else than we wrote, with the digest of what they answer (`''`: not there). */
export async function alteredTables(
  section: Section,
  was: AppliedContents,
  paths: Paths,
): Promise<readonly { readonly table: string; readonly digest: string }[]> {
  const stamps = await stampsOf(section.owns.tables, paths);
  const doubtful = section.owns.tables.filter((name) => stamps[name] !== was.tables[name]);
  if (doubtful.length === 0 || !section.contents) return [];
  const entries = (await readSource(paths, section.id, was.bytes)) ?? new Map<string, unknown>();
  const lines = linesOf(section, section.contents, entries, was.context);
  const altered: { table: string; digest: string }[] = [];
  for (const table of doubtful) {
    const there = stamps[table] !== '';
    const digest = there ? await digestOfTable(tableFile(paths, table), paths) : '';
    const ours = digestOf(tableText(table, (lines.get(table) ?? []).filter(isPresent)));
    if (digest !== ours) altered.push({ table, digest });
  }
  return altered;
}

export async function stampsOf(
  tables: readonly string[],
  paths: Paths,
): Promise<Record<string, string>> {
  const stamps = tables.map(
    async (name) => [name, await contentsStampOf(tableFile(paths, name))] as const,
  );
  return Object.fromEntries(await Promise.all(stamps));
}
