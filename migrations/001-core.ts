import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';

/** What every feature stands on: the database's identity, one-row settings, local domains, the changes, leases. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('mail_meta', (table) => {
    table.specificType('key', 'text collate "C"').primary();
    table.jsonb('value').notNullable();
  });
  await db('mail_meta').insert({ key: 'database-id', value: JSON.stringify(randomUUID()) });
  await db('mail_meta').insert({ key: 'change-order', value: JSON.stringify({}) });

  // A version is never used twice, not even for a row that was put back: a stale form can never fit by accident.
  await db.raw('create sequence mail_versions as integer');

  await db.schema.createTable('mail_settings', (table) => {
    table.specificType('id', 'text collate "C"').primary();
    table.jsonb('value').notNullable();
    settingsColumns(db, table);
  });

  await db.schema.createTable('mail_domains', (table) => {
    table.bigIncrements('id');
    table.specificType('name', 'text collate "C"').notNullable().unique();
    settingsColumns(db, table);
  });

  await db.schema.createTable('mail_changes', (table) => {
    table.bigIncrements('number');
    table.text('actor').notNullable();
    table.timestamp('at').notNullable().defaultTo(db.fn.now());
    table.timestamp('settled_at');
    table.text('state').notNullable().checkIn(['applying', 'applied', 'refused']);
    table.specificType('sections', 'text[]').notNullable();
    table.text('title_key').notNullable();
    table.jsonb('title_values').notNullable();
    table.integer('row_count').notNullable();
    table.bigInteger('undoes');
    table.jsonb('overwrite');
    table.jsonb('result');
    table.jsonb('failure');
  });
  await db.raw(
    `create unique index mail_changes_one_in_flight on mail_changes (state) where state = 'applying'`,
  );

  // `before` and `after` show secrets as set or not; the `sealed_` columns hold the boxes until the change is settled.
  await db.schema.createTable('mail_change_rows', (table) => {
    table
      .bigInteger('change')
      .notNullable()
      .references('number')
      .inTable('mail_changes')
      .onDelete('CASCADE');
    table.integer('position').notNullable();
    table.text('table_name').notNullable();
    table.text('row_id').notNullable();
    table.jsonb('before');
    table.jsonb('after');
    table.jsonb('sealed_before');
    table.primary(['change', 'position']);
  });

  await db.schema.createTable('mail_leases', (table) => {
    table.text('name').primary();
    table.text('holder').notNullable();
    table.timestamp('expires_at').notNullable();
  });
}

/** What every table of settings has besides its own columns. */
function settingsColumns(db: Knex, table: Knex.CreateTableBuilder): void {
  table.integer('version').notNullable().defaultTo(db.raw(`nextval('mail_versions')`));
  table.timestamp('updated_at').notNullable().defaultTo(db.fn.now());
  table.text('updated_by').notNullable();
}
