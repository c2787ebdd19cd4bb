import type { Knex } from 'knex';

/** Big actions on the mail queue, and how the queue was every few minutes. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('mail_queue_jobs', (table) => {
    table.bigIncrements('id');
    table.text('action').notNullable().checkIn(['delete', 'deliver', 'hold', 'release', 'requeue']);
    table.text('actor').notNullable();
    /** The filter of an action on all that match; null for chosen messages. */
    table.jsonb('filter');
    table
      .text('state')
      .notNullable()
      .defaultTo('running')
      .checkIn(['running', 'done', 'cancelled', 'failed', 'lost']);
    table.integer('total').notNullable();
    for (const count of ['done', 'unchanged', 'gone', 'failed']) {
      table.integer(count).notNullable().defaultTo(0);
    }
    table.jsonb('failures').notNullable().defaultTo('[]');
    /** Why the whole action ended, when the helper said so. */
    table.jsonb('failure');
    table.boolean('cancel').notNullable().defaultTo(false);
    table.timestamp('started_at').notNullable().defaultTo(db.fn.now());
    /** The process that works on it shows so that it is alive. */
    table.timestamp('seen_at').notNullable().defaultTo(db.fn.now());
    table.timestamp('finished_at');
  });
  await db.raw(
    "create index mail_queue_jobs_running on mail_queue_jobs (id) where state = 'running'",
  );

  await db.schema.createTable('mail_queue_samples', (table) => {
    table.timestamp('at').primary().defaultTo(db.fn.now());
    table.integer('waiting').notNullable();
    table.integer('held').notNullable();
    table.bigInteger('disk_free').notNullable();
    table.bigInteger('disk_needed').notNullable();
    /** Destinations for which mail piles up. */
    table.jsonb('stalls').notNullable().defaultTo('[]');
  });
}
