/** Brings a schema up to date: all of its new migrations, or none. */
import type { Knex } from 'knex';

export interface Migration {
  /** Without extension, so that source and built files have the same name in the table. */
  readonly name: string;
  up(db: Knex): Promise<void>;
}

export interface MigrationSet {
  /** The table that remembers what has run. */
  readonly table: string;
  readonly migrations: readonly Migration[];
}

/** Any number that nobody else takes as an advisory lock in the same database. */
const LOCK_KEY = 7_205_118;

/**
 * Runs in one transaction, Knex' own lock included: a kill leaves nothing half done and no lock behind. On a server a
 * second process waits, then finds everything done.
 */
export async function runMigrations(db: Knex, set: MigrationSet): Promise<void> {
  const source: Knex.MigrationSource<Migration> = {
    getMigrations: () => Promise.resolve([...set.migrations]),
    getMigrationName: (migration) => migration.name,
    getMigration: (migration) =>
      Promise.resolve({
        up: (knex) => migration.up(knex),
        down: () => Promise.reject(new Error(`${migration.name} cannot be taken back`)),
      }),
  };
  await db.transaction(async (trx) => {
    await trx.raw('select pg_advisory_xact_lock(?)', [LOCK_KEY]);
    await trx.migrate.latest({ tableName: set.table, migrationSource: source });
  });
}
