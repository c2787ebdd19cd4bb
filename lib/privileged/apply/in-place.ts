/**
 * A few keys of a table that is no secret, changed where it lies: atomic, seen at once by running daemons, and the same
 * work however large the table is. Undone by the inverse change.
 */
import { HelperError } from '../../errors.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import {
  BUILD_TIMEOUT_MS,
  isTableKey,
  POSTMAP,
  refusedTable,
  tableLine,
  tableMap,
} from './tables.js';

/** Keys that one change may alter in place; each costs a transaction. For more, building anew is quicker. */
export const IN_PLACE_KEYS = 100;

/** What shall be in the table; null: nothing. */
export type Wanted = ReadonlyMap<string, string | null>;

export interface InPlaceEdit {
  readonly file: string;
  /** Only keys whose value differs from what the table answers now. */
  readonly wanted: readonly (readonly [key: string, value: string | null])[];
  readonly undo: readonly (readonly [key: string, value: string | null])[];
}

/** Compares with what the table answers. Throws at stage `stage` for a line that `postmap` would misread. */
export async function planEdit(file: string, wanted: Wanted, paths: Paths): Promise<InPlaceEdit> {
  for (const [key, value] of wanted) {
    if (value === null ? !isTableKey(key) : !tableLine(file, key, value)) {
      throw refusedTable(file, '');
    }
  }
  const present = await ask(file, [...wanted.keys()], paths);
  const changes = [...wanted].filter(([key, value]) => (present.get(key) ?? null) !== value);
  return {
    file,
    wanted: changes,
    undo: changes.map(([key]) => [key, present.get(key) ?? null]),
  };
}

/** Makes the change and asks it back. Throws at stage `swap`; the table may then be half changed. */
export async function editInPlace(
  { file, wanted }: Pick<InPlaceEdit, 'file' | 'wanted'>,
  paths: Paths,
): Promise<void> {
  const removed = wanted.flatMap(([key, value]) => (value === null ? [key] : []));
  const set = wanted.flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]));
  if (removed.length > 0)
    await postmap(
      file,
      ['-d', '-'],
      removed.map((key) => `${key}\n`),
      paths,
    );
  if (set.length > 0) {
    await postmap(
      file,
      ['-r', '-i'],
      set.map(([key, value]) => tableLine(file, key, value)),
      paths,
    );
  }
  const present = await ask(
    file,
    wanted.map(([key]) => key),
    paths,
  );
  const wrong = wanted.find(([key, value]) => (present.get(key) ?? null) !== value);
  if (wrong) throw failed(file, wrong[0]);
}

/** Puts the old values back; safe to do twice. */
export async function undoEdit(
  { file, undo }: Pick<InPlaceEdit, 'file' | 'undo'>,
  paths: Paths,
): Promise<void> {
  await editInPlace({ file, wanted: undo }, paths);
}

/** What the table answers, by key; keys it does not have are left out. */
async function ask(
  file: string,
  keys: readonly string[],
  paths: Paths,
): Promise<Map<string, string>> {
  if (keys.length === 0) return new Map();
  const answer = await run(
    file,
    ['-q', '-'],
    keys.map((key) => `${key}\n`),
    paths,
  );
  return new Map(
    answer.split('\n').flatMap((line) => {
      const tab = line.indexOf('\t');
      return tab < 0 ? [] : [[line.slice(0, tab), line.slice(tab + 1)] as const];
    }),
  );
}

async function postmap(
  file: string,
  mode: readonly string[],
  lines: readonly string[],
  paths: Paths,
): Promise<void> {
  await run(file, mode, lines, paths);
}

/** `postmap` ends with 1 when a key is not there; what it says on stderr tells a failure. */
async function run(
  file: string,
  mode: readonly string[],
  lines: readonly string[],
  paths: Paths,
): Promise<string> {
  const answer = await runNative(POSTMAP, ['-c', paths.configDir, ...mode, tableMap(file)], {
    timeoutMs: BUILD_TIMEOUT_MS,
    input: lines,
  });
  if (answer.code === null || answer.code > 1 || answer.stderr !== '')
    throw failed(file, answer.stderr);
  return answer.stdout;
}

function failed(table: string, detail: string): HelperError {
  return new HelperError({
    stage: 'swap',
    key: 'helper.swap.table',
    values: { table },
    detail,
    restored: false,
  });
}
