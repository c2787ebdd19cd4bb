/** What somebody wrote into a table of ours: the entries that answer something else than we wrote. */
import type { Section } from '../../sections/section.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { POSTMAP, BUILD_TIMEOUT_MS, tableFile, tableMap } from './tables.js';
import { isPresent, linesOf } from './contents-tables.js';
import { readSource } from './contents-source.js';
import type { AppliedContents } from '../state.js';

/** One key, with what we wrote and what is there; null: no such entry. */
export interface TableEdit {
  readonly key: string;
  readonly ours: string | null;
  readonly theirs: string | null;
}

/** Edits that are told of one table; a person does not make more by hand. */
export const MAX_TABLE_EDITS = 500;

/** `more`: there are more than are told. */
export async function tableEdits(
  section: Section,
  was: AppliedContents,
  table: string,
  paths: Paths,
): Promise<{ readonly edits: readonly TableEdit[]; readonly more: boolean }> {
  const { contents } = section;
  if (!contents) return { edits: [], more: false };
  const entries = (await readSource(paths, section.id, was.bytes)) ?? new Map<string, unknown>();
  const lines = linesOf(section, contents, entries, was.context).get(table) ?? [];
  const ours = new Map<string, string>(lines.filter(isPresent));
  const edits: TableEdit[] = [];
  const compare = (key: string, theirs: string): void => {
    const written = ours.get(key) ?? null;
    ours.delete(key);
    if (written !== theirs) edits.push({ key, ours: written, theirs });
  };
  await readTable(tableFile(paths, table), paths, compare);
  for (const [key, written] of ours) edits.push({ key, ours: written, theirs: null });
  return { edits: edits.slice(0, MAX_TABLE_EDITS), more: edits.length > MAX_TABLE_EDITS };
}

async function readTable(
  file: string,
  paths: Paths,
  onEntry: (key: string, value: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  const take = (text: string): void => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const tab = line.indexOf('\t');
      if (tab > 0) onEntry(line.slice(0, tab), line.slice(tab + 1));
    }
  };
  await runNative(POSTMAP, ['-c', paths.configDir, '-s', tableMap(file)], {
    timeoutMs: BUILD_TIMEOUT_MS,
    onStdout: (chunk) => take(decoder.decode(chunk, { stream: true })),
  });
  take('\n');
}
