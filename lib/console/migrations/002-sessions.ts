import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('console_sessions', (table) => {
    // The SHA-256 of the session id: whoever reads the table cannot use what is in it.
    table.text('id').primary();
    table.bigInteger('account_id').references('console_accounts.id').onDelete('CASCADE').index();
    table.jsonb('data').notNullable();
    table.timestamp('created_at', { useTz: true }).notNullable().defaultTo(knex.fn.now());
    table.timestamp('seen_at', { useTz: true }).notNullable().defaultTo(knex.fn.now());
    table.timestamp('expires_at', { useTz: true }).notNullable().index();
  });
}
