/** The plugin's own tables, `mail_*`. */
import type { Knex } from 'knex';
import { migrations } from '../../migrations/index.js';
import { runMigrations, type MigrationSet } from './migrate.js';

export const mailSchema: MigrationSet = { table: 'mail_migrations', migrations };

export function migrateMail(db: Knex): Promise<void> {
  return runMigrations(db, mailSchema);
}
