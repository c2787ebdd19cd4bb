/** Import of a file with aliases: read, compared and shown first, then saved whole or not at all. And export. */
import type { Knex } from 'knex';
import type { TouchedRow } from '../changes/change.js';
import type { Changes } from '../changes/service.js';
import type { Log } from '../contract.js';
import { ConflictError, HelperError, isDiskFull, NotFoundError, UserError } from '../errors.js';
import { decodeText, readRows, type CsvRow } from './csv.js';
import { guardedPages } from './guarded.js';
import { healthOf } from './health.js';
import { differencesBetween } from './import-diff.js';
import {
  aliasesWithImport,
  beginImport,
  changeImport,
  claimImport,
  countImportRows,
  findImport,
  giveUpOpenImports,
  insertImportRows,
  markRepeated,
  markRows,
  readDoubtfulRows,
  readFirstRows,
  streamImportRows,
  type AliasImport,
  type ImportCounts,
  type ImportRow,
  type RowMark,
} from './import-store.js';
import { kindOfName, splitAddress } from './address.js';
import { tidyIndexes } from './index-store.js';
import type { World } from './resolve.js';
import {
  findAliases,
  findByNames,
  insertAliases,
  streamAliases,
  updateAliases,
  type AliasValues,
} from './store.js';
import { aliasesIn, type Worlds } from './world.js';

/** Lines one file may have. */
export const MAX_IMPORT_LINES = 500_000;
/** Rows that are compared and written together. */
const AT_ONCE = 500;
/** Rows of each kind that the preview shows. */
export const SHOWN_ROWS = 50;

/** A row that would be saved, beside what is there now. */
export interface ChangingRow extends ImportRow {
  /** Null for a new one. */
  readonly before: AliasValues | null;
  /** Somebody has changed or removed it since the file was read, so it cannot be saved. */
  readonly stale: boolean;
}

export interface ImportPreview {
  readonly found: AliasImport;
  readonly counts: ImportCounts;
  readonly wrong: readonly ImportRow[];
  readonly doubtful: readonly ImportRow[];
  readonly changing: readonly ChangingRow[];
}

const NOTHING_YET: Omit<ImportPreview, 'found'> = {
  counts: { new: 0, changed: 0, same: 0, wrong: 0, doubtful: 0 },
  ...{ wrong: [], doubtful: [], changing: [] },
};

export function isUnderWay({ state }: AliasImport): boolean {
  return state === 'reading' || state === 'applying';
}

export interface AliasTransfer {
  /** Begins to read a file; the preview says how far it is. */
  begin(bytes: Buffer, actor: string): Promise<string>;
  /** What a file would change; without rows and counts while it is under way. Throws `NotFoundError`. */
  preview(id: string): Promise<ImportPreview>;
  /** Begins to save it, once. Throws `UserError` while something in it is wrong, `NotFoundError`. */
  apply(id: string, actor: string): Promise<void>;
  /** Resolves when the import has nothing under way any more, or after `limitMs`. */
  settled(id: string, limitMs: number): Promise<void>;
  /** All aliases in the order of their names, page by page. */
  all(): AsyncIterable<readonly AliasValues[]>;
  /** What a process that ended left half done. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export function createAliasTransfer({
  db,
  changes,
  worlds,
  log,
}: {
  readonly db: Knex;
  readonly changes: Pick<Changes, 'savePages'>;
  readonly worlds: Worlds;
  readonly log: Log;
}): AliasTransfer {
  const running = new Map<string, Promise<void>>();

  const run = (id: string, work: () => Promise<void>): void => {
    const done = work()
      .catch(async (error: unknown) => {
        log.error({ err: error, import: id }, 'an import of aliases broke off');
        const problem = { key: 'helper.space.database', values: {} };
        const end = isDiskFull(error)
          ? { state: 'refused' as const, failure: { problems: [problem] } }
          : { state: 'broken' as const };
        await changeImport(db, id, end).catch(() => undefined);
      })
      .finally(() => running.delete(id));
    running.set(id, done);
  };

  const need = async (id: string): Promise<AliasImport> => {
    const found = await findImport(db, id);
    if (!found) throw new NotFoundError(`import ${id}`);
    return found;
  };

  /** Compares with what is there; what is wrong about all of them together comes after the last one. */
  const read = async (id: string, bytes: Buffer): Promise<void> => {
    const world = await worlds.now(db);
    let batch: CsvRow[] = [];
    let lines = 0;
    const flush = async (): Promise<void> => {
      await insertImportRows(db, id, await compare(db, world, batch));
      lines += batch.length;
      await changeImport(db, id, { lines });
      batch = [];
    };
    for (const row of readRows(decodeText(bytes))) {
      batch.push(row);
      if (batch.length === AT_ONCE) await flush();
      if (lines >= MAX_IMPORT_LINES) {
        const problem = { key: 'aliases.import.tooLong', values: { limit: MAX_IMPORT_LINES } };
        await changeImport(db, id, { state: 'refused', failure: { problems: [problem] } });
        return;
      }
    }
    await flush();
    await markRepeated(db, id);
    const after = { ...world, aliases: aliasesWithImport(db, id, aliasesIn(db)) };
    for await (const rows of changingRows(db, id)) await markRows(db, id, await judge(rows, after));
    await changeImport(db, id, { state: 'ready' });
  };

  async function* write(
    trx: Knex.Transaction,
    id: string,
    actor: string,
  ): AsyncIterable<readonly TouchedRow[]> {
    for await (const rows of changingRows(trx, id)) {
      const fresh = rows.filter(({ kind }) => kind === 'new');
      const taken = await findByNames(
        trx,
        fresh.map(({ name }) => name),
      );
      const [first] = taken;
      if (first) throw changedMeanwhile(first.name);
      const added = await insertAliases(trx, fresh, actor);
      const changed = rows.filter(({ kind }) => kind === 'changed');
      yield [...added, ...(await updateAliases(trx, changed.map(withKey), actor))];
    }
  }

  const save = async (id: string, actor: string): Promise<void> => {
    const counts = await countImportRows(db, id);
    const now = await worlds.now(db);
    try {
      const change = await changes.savePages({
        sections: ['aliases'],
        title: {
          key: 'aliases.change.imported',
          values: { added: counts.new, changed: counts.changed },
        },
        actor,
        writePages: (trx) => guardedPages(trx, now, write(trx, id, actor)),
      });
      await tidyIndexes(db).catch((error: unknown) => {
        log.warn({ err: error }, 'look-ups of aliases are slow until the database tidies up');
      });
      await changeImport(db, id, { state: 'done', change: change.id });
    } catch (error) {
      const problems = problemsOf(error);
      if (problems === null) throw error;
      await changeImport(db, id, { state: 'refused', failure: { problems } });
    }
  };

  return {
    begin: async (bytes, actor) => {
      const id = await beginImport(db, actor);
      run(id, () => read(id, bytes));
      return id;
    },
    preview: async (id) => {
      const found = await need(id);
      // Of what is under way nothing is shown but how far it is: counting would hold it up.
      if (isUnderWay(found)) return { found, ...NOTHING_YET };
      const limit = SHOWN_ROWS;
      const [counts, wrong, doubtful, changing] = [
        await countImportRows(db, id),
        await readFirstRows(db, id, ['wrong'], limit),
        await readDoubtfulRows(db, id, limit),
        await besidePresent(db, await readFirstRows(db, id, ['new', 'changed'], limit)),
      ];
      return { found, counts, wrong, doubtful, changing };
    },
    apply: async (id, actor) => {
      await need(id);
      const { wrong, new: added, changed } = await countImportRows(db, id);
      if (wrong > 0) throw refused('aliases.import.notWhole', { count: wrong });
      if (added + changed === 0) throw refused('aliases.import.nothing', {});
      // A second click finds it under way.
      if (await claimImport(db, id)) run(id, () => save(id, actor));
    },
    settled: async (id, limitMs) => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, limitMs);
      });
      await Promise.race([running.get(id), late]);
      clearTimeout(timer);
    },
    all: () => streamAliases(db),
    start: () => giveUpOpenImports(db),
    close: async () => {
      await Promise.allSettled(running.values());
    },
  };
}

/** What each row of the file is, beside what is there. */
async function compare(db: Knex, world: World, rows: readonly CsvRow[]): Promise<ImportRow[]> {
  const names = rows.flatMap((row) => ('values' in row ? [row.values.name] : []));
  const present = new Map((await findByNames(db, names)).map((alias) => [alias.name, alias]));
  return rows.map((row): ImportRow => {
    const none = { alias_id: null, version: null, reason: '', value: '' };
    if ('fault' in row) {
      const { reason, value } = row.fault;
      const empty = { name: '', targets: [], note: '', enabled: false };
      return { ...none, ...empty, line: row.line, kind: 'wrong', reason, value: cut(value) };
    }
    const { line, without } = row;
    const there = present.get(row.values.name);
    const values = there ? { ...row.values, ...kept(there, without) } : row.values;
    const domain = splitAddress(values.name).domain;
    if (kindOfName(values.name) === 'catchAll' && !world.isLocal(domain ?? '')) {
      const value = cut(values.name);
      return { ...none, ...values, line, kind: 'wrong', reason: 'catchAllForeign', value };
    }
    if (!there) return { ...none, ...values, line, kind: 'new' };
    const kind = differencesBetween(there, values).length === 0 ? 'same' : 'changed';
    return { ...none, ...values, line, kind, alias_id: there.id, version: there.version };
  });
}

/** A file without notes takes none away, and one without states switches nothing on. */
function kept(
  there: AliasValues,
  columns: readonly ('note' | 'enabled')[],
): Partial<Pick<AliasValues, 'note' | 'enabled'>> {
  return Object.fromEntries(columns.map((column) => [column, there[column]]));
}

/** The rows of a preview with what is there now. */
async function besidePresent(db: Knex, rows: readonly ImportRow[]): Promise<ChangingRow[]> {
  const ids = rows.flatMap(({ alias_id }) => (alias_id === null ? [] : [alias_id]));
  const present = new Map((await findAliases(db, ids)).map((alias) => [alias.id, alias]));
  return rows.map((row) => {
    const before = row.alias_id === null ? null : (present.get(row.alias_id) ?? null);
    return { ...row, before, stale: (before?.version ?? null) !== row.version };
  });
}

/** Loops cannot be saved; other states are told. */
async function judge(rows: readonly ImportRow[], world: World): Promise<readonly RowMark[]> {
  const health = await healthOf(rows, world);
  return rows.flatMap(({ line, kind, name }): RowMark[] => {
    const { state, dead, hidden, circle } = health.get(name) ?? { state: 'fine' as const };
    if (state === 'fine' || state === 'off') return [];
    if (state === 'loop') {
      const value = cut((circle ?? []).join(' → '));
      return [{ line, kind: 'wrong', reason: 'loop', value }];
    }
    return [{ line, kind, reason: state, value: cut((dead ?? []).join(', ') || (hidden ?? name)) }];
  });
}

/** Text of somebody else's file that is repeated in a sentence, at most this long, in characters. */
const MAX_VALUE_CHARS = 200;

function cut(value: string): string {
  // eslint-disable-next-line no-control-regex -- a text column takes no NUL, and a sentence no line break
  const line = value.replace(/[\u0000-\u001f\u007f-\u009f]/g, '␣');
  return line.length > MAX_VALUE_CHARS ? `${line.slice(0, MAX_VALUE_CHARS)}…` : line;
}

async function* changingRows(db: Knex, id: string): AsyncIterable<readonly ImportRow[]> {
  for await (const rows of streamImportRows(db, id, AT_ONCE)) {
    const changing = rows.filter(({ kind }) => kind === 'new' || kind === 'changed');
    if (changing.length > 0) yield changing;
  }
}

function withKey(row: ImportRow) {
  return { key: { id: String(row.alias_id), version: row.version ?? 0 }, values: row };
}

function changedMeanwhile(name: string): UserError {
  return refused('aliases.import.meanwhile', { name });
}

function refused(key: string, values: Record<string, string | number>): UserError {
  return new UserError({ key, values });
}

/** Null for what is a fault of ours. */
function problemsOf(error: unknown) {
  if (error instanceof UserError) return error.problems.map(({ key, values }) => ({ key, values }));
  if (error instanceof HelperError) return [{ key: error.key, values: error.values }];
  if (error instanceof ConflictError || error instanceof NotFoundError) {
    return [{ key: 'aliases.import.meanwhile', values: { name: '–' } }];
  }
  return null;
}
