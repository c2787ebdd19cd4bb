import type { Knex } from 'knex';

/** Mail aliases of the administrator. `search` is what the list searches: name, targets and note in lower case. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('mail_aliases', (table) => {
    table.bigIncrements('id');
    table.specificType('name', 'text collate "C"').notNullable().unique();
    table.specificType('targets', 'text[]').notNullable();
    table.text('note').notNullable().defaultTo('');
    table.boolean('enabled').notNullable().defaultTo(true);
    table.specificType('search', 'text collate "C"').notNullable().defaultTo('');
    table.integer('version').notNullable().defaultTo(db.raw(`nextval('mail_versions')`));
    table.timestamp('updated_at').notNullable().defaultTo(db.fn.now());
    table.text('updated_by').notNullable();
  });
  await db.raw(`create index mail_aliases_off on mail_aliases (name) where not enabled`);
  await db.raw(`create index mail_aliases_catch_all on mail_aliases (name) where name like '@%'`);
}
