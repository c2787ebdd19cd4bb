/** What the database says about its own tables. */
import type { Knex } from 'knex';
import type { TransferSet } from './format.js';

/** The tables of the sets that are carried over, each after those it refers to. */
export async function carriedTables(db: Knex, sets: readonly TransferSet[]): Promise<string[]> {
  const all = await tablesOf(db, sets);
  const skipped = new Set(
    sets.flatMap(({ table, passing }) => [table, `${table}_lock`, ...passing]),
  );
  const carried = all.filter((table) => !skipped.has(table));
  const references: { rows: { from: string; to: string }[] } = await db.raw(
    `select conrelid::regclass::text as from, confrelid::regclass::text as to
       from pg_constraint where contype = 'f' and conrelid <> confrelid`,
  );
  const ordered: string[] = [];
  while (ordered.length < carried.length) {
    const next = carried.filter(
      (table) =>
        !ordered.includes(table) &&
        references.rows.every(
          ({ from, to }) => from !== table || !carried.includes(to) || ordered.includes(to),
        ),
    );
    if (next.length === 0) throw new Error('tables refer to each other in a circle');
    ordered.push(...next);
  }
  return ordered;
}

/** Every table of the sets, in the order of their names. */
export async function tablesOf(db: Knex, sets: readonly TransferSet[]): Promise<string[]> {
  const found: { rows: { name: string }[] } = await db.raw(
    `select c.relname as name from pg_class c
      where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'
      order by c.relname collate "C"`,
  );
  return found.rows.map(({ name }) => name).filter((name) => belongs(name, sets));
}

export async function sequencesOf(db: Knex, sets: readonly TransferSet[]): Promise<string[]> {
  const found: { rows: { name: string }[] } = await db.raw(
    `select c.relname as name from pg_class c
      where c.relnamespace = current_schema()::regnamespace and c.relkind = 'S'
      order by c.relname collate "C"`,
  );
  return found.rows.map(({ name }) => name).filter((name) => belongs(name, sets));
}

/** Without those of the migrations' own tables, which are never carried over. */
export async function carriedSequences(db: Knex, sets: readonly TransferSet[]): Promise<string[]> {
  const all = await sequencesOf(db, sets);
  return all.filter((name) => !sets.some(({ table }) => name.startsWith(`${table}_`)));
}

export async function columnsOf(db: Knex, table: string): Promise<string[]> {
  const found: { rows: { name: string }[] } = await db.raw(
    `select attname as name from pg_attribute
      where attrelid = ?::regclass and attnum > 0 and not attisdropped order by attnum`,
    [`"${table}"`],
  );
  return found.rows.map(({ name }) => name);
}

export async function countRows(db: Knex, table: string): Promise<number> {
  const found: { rows: { count: string }[] } = await db.raw('select count(*) as count from ??', [
    table,
  ]);
  return Number(found.rows[0]!.count);
}

function belongs(name: string, sets: readonly TransferSet[]): boolean {
  return sets.some(({ prefix }) => name.startsWith(prefix));
}
