import type { Knex } from 'knex';

/** A file with aliases that was read, and what it would change: it waits here until somebody says yes. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('mail_alias_imports', (table) => {
    table.bigIncrements('id');
    table.text('actor').notNullable();
    table.timestamp('at').notNullable().defaultTo(db.fn.now());
    table
      .text('state')
      .notNullable()
      .checkIn(['reading', 'ready', 'applying', 'done', 'refused', 'broken']);
    table.integer('lines').notNullable().defaultTo(0);
    table.bigInteger('change');
    table.jsonb('failure');
  });
  await db.schema.createTable('mail_alias_import_rows', (table) => {
    table.bigInteger('import').notNullable();
    table.integer('line').notNullable();
    table.text('kind').notNullable().checkIn(['new', 'changed', 'same', 'wrong']);
    table.specificType('name', 'text collate "C"').notNullable();
    table.specificType('targets', 'text[]').notNullable();
    table.text('note').notNullable();
    table.boolean('enabled').notNullable();
    // What is wrong with it, or what should be known before it is saved; '' for nothing.
    table.text('reason').notNullable();
    table.text('value').notNullable();
    // The alias it changes, as it was when the file was read.
    table.bigInteger('alias_id');
    table.integer('version');
    table.primary(['import', 'line']);
  });
  await db.raw('create index mail_alias_import_rows_name on mail_alias_import_rows (import, name)');
  await db.raw(
    'create index mail_alias_import_rows_kind on mail_alias_import_rows (import, kind, line)',
  );
}
