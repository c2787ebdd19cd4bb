import type { Knex } from 'knex';

/** What the DNS said about each local domain, and when: shown with its age, asked again in the background. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('mail_domain_checks', (table) => {
    table.specificType('name', 'text collate "C"').primary();
    table.jsonb('findings').notNullable();
    table.timestamp('checked_at').notNullable();
  });
}
