/** Files with aliases that wait for somebody's yes. */
import type { Knex } from 'knex';
import type { MessageValues } from '../errors.js';
import type { World } from './resolve.js';
import type { AliasValues } from './store.js';

const IMPORTS = 'mail_alias_imports';
const ROWS = 'mail_alias_import_rows';

/** Imports that are kept, the newest. */
const KEPT_IMPORTS = 5;

export type ImportState = 'reading' | 'ready' | 'applying' | 'done' | 'refused' | 'broken';
export type RowKind = 'new' | 'changed' | 'same' | 'wrong';

/** Why an import was not made: problems in words, or what the helper said. */
export interface ImportFailure {
  readonly problems: readonly { readonly key: string; readonly values: MessageValues }[];
}

export interface AliasImport {
  readonly id: string;
  readonly actor: string;
  readonly at: Date;
  readonly state: ImportState;
  /** Lines read. */
  readonly lines: number;
  readonly change: string | null;
  readonly failure: ImportFailure | null;
}

export interface ImportRow extends AliasValues {
  readonly line: number;
  readonly kind: RowKind;
  /** Below `aliases.import.wrong.` or, for rows that can be saved, `aliases.import.doubt.`; '' for nothing. */
  readonly reason: string;
  readonly value: string;
  readonly alias_id: string | null;
  readonly version: number | null;
}

export async function beginImport(db: Knex, actor: string): Promise<string> {
  const [made] = await db(IMPORTS)
    .insert({ actor, state: 'reading' })
    .returning<{ id: string }[]>('id');
  const id = String(made?.id);
  const old = db(IMPORTS).select('id').orderBy('id', 'desc').offset(KEPT_IMPORTS).as('old');
  await db(ROWS).whereIn('import', db.select('id').from(old)).delete();
  await db(IMPORTS)
    .whereIn('id', db.select('id').from(old.clone()))
    .whereNot('state', 'applying')
    .delete();
  return id;
}

export async function findImport(db: Knex, id: string): Promise<AliasImport | null> {
  if (!/^[1-9][0-9]{0,17}$/.test(id)) return null;
  return (await db(IMPORTS).where('id', id).first<AliasImport | undefined>()) ?? null;
}

export async function changeImport(
  db: Knex,
  id: string,
  values: Partial<Pick<AliasImport, 'state' | 'lines' | 'change' | 'failure'>>,
): Promise<void> {
  const { failure, ...plain } = values;
  await db(IMPORTS)
    .where('id', id)
    .update({ ...plain, ...(failure ? { failure: JSON.stringify(failure) } : {}) });
}

/** Ready becomes applying, once. */
export async function claimImport(db: Knex, id: string): Promise<boolean> {
  return (await db(IMPORTS).where({ id, state: 'ready' }).update({ state: 'applying' })) === 1;
}

/** What a process that ended left half done. */
export async function giveUpOpenImports(db: Knex): Promise<void> {
  await db(IMPORTS).whereIn('state', ['reading', 'applying']).update({ state: 'broken' });
}

export async function insertImportRows(
  db: Knex,
  id: string,
  rows: readonly ImportRow[],
): Promise<void> {
  if (rows.length === 0) return;
  await db.raw('insert into ?? select * from jsonb_populate_recordset(null::??, ?::jsonb)', [
    ROWS,
    ROWS,
    JSON.stringify(rows.map((row) => ({ ...row, import: id }))),
  ]);
}

/** The first rows of these kinds, in the order of the file. Each kind by itself stands in an index in that order. */
export async function readFirstRows(
  db: Knex,
  id: string,
  kinds: readonly RowKind[],
  limit: number,
): Promise<ImportRow[]> {
  const found: ImportRow[] = [];
  for (const kind of kinds) {
    found.push(
      ...(await db(ROWS)
        .where({ import: id, kind })
        .orderBy('line')
        .limit(limit)
        .select<ImportRow[]>()),
    );
  }
  return found.sort((one, other) => one.line - other.line).slice(0, limit);
}

/**
 * All rows in the order of the file, of so many lines at a time. From line to line, and of every kind: asked for the next
 * ones after a line, or for some kinds only, the planner, which knows nothing of a file just read, would put all that are
 * left in order for each page.
 */
export async function* streamImportRows(
  db: Knex,
  id: string,
  lines: number,
): AsyncIterable<readonly ImportRow[]> {
  const rows = () => db(ROWS).where('import', id);
  const nextAfter = async (line: number): Promise<number | null> => {
    const next = await rows().where('line', '>', line).min('line as line').first<{
      line: number | null;
    }>();
    return next.line;
  };
  let first = await nextAfter(0);
  while (first !== null) {
    const last = first + lines - 1;
    yield await rows().whereBetween('line', [first, last]).orderBy('line').select<ImportRow[]>();
    first = await nextAfter(last);
  }
}

/** The first rows that something should be known of before they are saved. */
export function readDoubtfulRows(db: Knex, id: string, limit: number): Promise<ImportRow[]> {
  return db(ROWS)
    .where('import', id)
    .whereIn('kind', ['new', 'changed'])
    .whereNot('reason', '')
    .orderBy('line')
    .limit(limit)
    .select<ImportRow[]>();
}

export type ImportCounts = Readonly<Record<RowKind | 'doubtful', number>>;

export async function countImportRows(db: Knex, id: string): Promise<ImportCounts> {
  const rows = await db(ROWS)
    .where('import', id)
    .groupBy('kind')
    .select<{ kind: RowKind; count: string; doubtful: string }[]>(
      'kind',
      db.raw('count(*) as count'),
      db.raw(`count(*) filter (where reason <> '' and kind in ('new', 'changed')) as doubtful`),
    );
  const counts = { new: 0, changed: 0, same: 0, wrong: 0, doubtful: 0 };
  for (const { kind, count, doubtful } of rows) {
    counts[kind] = Number(count);
    counts.doubtful += Number(doubtful);
  }
  return counts;
}

/** Marks every later line of a name that stands in the file more than once. */
export async function markRepeated(db: Knex, id: string): Promise<void> {
  await db.raw(
    `update mail_alias_import_rows as one set kind = 'wrong', reason = 'repeated', value = first.line::text
       from (select name, min(line) as line from mail_alias_import_rows
              where import = ? and kind <> 'wrong' group by name having count(*) > 1) as first
      where one.import = ? and one.kind <> 'wrong' and one.name = first.name and one.line > first.line`,
    [id, id],
  );
}

/** What a look at all of the file together says of a line. */
export type RowMark = Pick<ImportRow, 'line' | 'kind' | 'reason' | 'value'>;

export async function markRows(db: Knex, id: string, marks: readonly RowMark[]): Promise<void> {
  if (marks.length === 0) return;
  await db.raw(
    `update mail_alias_import_rows as one set kind = said.kind, reason = said.reason, value = said.value
       from jsonb_to_recordset(?::jsonb) as said (line integer, kind text, reason text, value text)
      where one.import = ? and one.line = said.line`,
    [JSON.stringify(marks), id],
  );
}

/** The aliases as they will be: those of the file in front of those that are there. */
export function aliasesWithImport(
  db: Knex,
  id: string,
  present: World['aliases'],
): World['aliases'] {
  return async (names) => {
    const found = new Map(await present(names));
    // Each name by itself: asked for all at once, the planner would read the whole file every time.
    const answer: { rows: Pick<ImportRow, 'kind' | 'name' | 'targets' | 'enabled'>[] } =
      await db.raw(
        `select row.kind, row.name, row.targets, row.enabled from unnest(?::text[]) as asked (name)
          cross join lateral (select one.* from mail_alias_import_rows as one
            where one.import = ? and one.name = asked.name collate "C" offset 0) as row`,
        [[...names], id],
      );
    const rows = answer.rows.filter(({ kind }) => kind === 'new' || kind === 'changed');
    for (const { name, targets, enabled } of rows) {
      if (enabled) found.set(name, targets);
      else found.delete(name);
    }
    return found;
  };
}
