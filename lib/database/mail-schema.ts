/** The plugin's own tables, `mail_*`. */
import type { Knex } from 'knex';
import { migrations } from '../../migrations/index.js';
import { runMigrations, type MigrationSet } from './migrate.js';

export const mailSchema: MigrationSet = { table: 'mail_migrations', migrations };

/** What lives only as long as its processes, or follows from other tables by itself. */
export const PASSING_TABLES = [
  'mail_leases',
  'mail_alias_index',
  'mail_alias_counts',
  'mail_alias_work',
  'mail_alias_imports',
  'mail_alias_import_rows',
] as const;

export function migrateMail(db: Knex): Promise<void> {
  return runMigrations(db, mailSchema);
}
