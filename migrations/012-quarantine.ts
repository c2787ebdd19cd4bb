import type { Knex } from 'knex';

/** How long mail in the quarantine is kept: one row, once somebody chose. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('mail_quarantine_settings', (table) => {
    table.integer('id').primary();
    table.integer('keep_days').notNullable();
    table.text('actor').notNullable();
    table.timestamp('changed_at').notNullable().defaultTo(db.fn.now());
  });
}
