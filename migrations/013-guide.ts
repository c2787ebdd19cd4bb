import type { Knex } from 'knex';

/** The first steps: what was done that no setting tells, and whether somebody put the guide away. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('mail_guide', (table) => {
    table.text('mark').primary().checkIn(['hidden', 'tested']);
    table.timestamp('at').notNullable().defaultTo(db.fn.now());
    table.text('actor').notNullable();
  });
}
