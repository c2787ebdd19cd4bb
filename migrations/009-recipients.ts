import type { Knex } from 'knex';

/** Whom Postfix knows where a console has a directory of its own: the names it was told last. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('mail_recipients', (table) => {
    table.bigIncrements('id');
    table.specificType('name', 'text collate "C"').notNullable().unique();
    table.text('login').notNullable();
    table.integer('version').notNullable().defaultTo(db.raw(`nextval('mail_versions')`));
    table.timestamp('updated_at').notNullable().defaultTo(db.fn.now());
    table.text('updated_by').notNullable();
  });
}
