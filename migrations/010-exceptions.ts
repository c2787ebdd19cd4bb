import type { Knex } from 'knex';

/** Who is never refused as a stranger. `search` is what the list searches: value and note in lower case. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('mail_exceptions', (table) => {
    table.bigIncrements('id');
    table.text('kind').notNullable();
    table.specificType('value', 'text collate "C"').notNullable().unique();
    table.text('note').notNullable().defaultTo('');
    table.boolean('enabled').notNullable().defaultTo(true);
    table.specificType('search', 'text collate "C"').notNullable().defaultTo('');
    table.integer('version').notNullable().defaultTo(db.raw(`nextval('mail_versions')`));
    table.timestamp('updated_at').notNullable().defaultTo(db.fn.now());
    table.text('updated_by').notNullable();
  });
}
