import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.schema.createTable('console_accounts', (table) => {
    table.bigIncrements('id');
    table.text('login').notNullable().unique();
    table.text('name').notNullable();
    table.text('email');
    // own: the password is kept here, as an argon2 hash. system: saslauthd knows it.
    table.text('kind').notNullable().checkIn(['own', 'system']);
    table.text('password_hash');
    table.specificType('roles', 'text[]').notNullable();
    table.boolean('disabled').notNullable().defaultTo(false);
    table.integer('version').notNullable().defaultTo(1);
    table.timestamp('created_at', { useTz: true }).notNullable().defaultTo(knex.fn.now());
    table.text('created_by').notNullable();
    table.timestamp('signed_in_at', { useTz: true });
  });
}
