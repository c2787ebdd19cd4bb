import type { Knex } from 'knex';

/** Who may send outside without login: one row a network, in its canonical form, with what somebody says about it. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('mail_relay_networks', (table) => {
    table.bigIncrements('id');
    table.specificType('network', 'text collate "C"').notNullable().unique();
    table.text('note').notNullable().defaultTo('');
    table.integer('version').notNullable().defaultTo(db.raw(`nextval('mail_versions')`));
    table.timestamp('updated_at').notNullable().defaultTo(db.fn.now());
    table.text('updated_by').notNullable();
  });
}
