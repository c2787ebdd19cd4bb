import type { Knex } from 'knex';

/** Mailings to many people: what is sent, to whom, and what became of each message. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('mail_bulk_mailings', (table) => {
    table.bigIncrements('id');
    /** Stands in the message ids. */
    table.text('key').notNullable().unique();
    /** Who gets a message cannot make up the id of another one without it. */
    table.text('secret').notNullable();
    table.integer('version').notNullable().defaultTo(1);
    table
      .text('state')
      .notNullable()
      .defaultTo('draft')
      .checkIn(['draft', 'running', 'paused', 'done', 'cancelled']);
    table.text('sender').notNullable();
    table.text('sender_name').notNullable();
    table.text('subject').notNullable();
    table.text('body').notNullable();
    table.boolean('formatted').notNullable();
    /** Names of groups and logins. */
    table.specificType('include', 'text[]').notNullable();
    table.specificType('exclude', 'text[]').notNullable();
    /** Messages a minute; 0 as fast as they are taken. */
    table.integer('rate').notNullable();
    /** The mailing whose failed recipients this one is for. */
    table.bigInteger('again_of');
    table.text('actor').notNullable();
    table.timestamp('changed_at').notNullable().defaultTo(db.fn.now());
    table.timestamp('started_at');
    table.timestamp('finished_at');
    /** Why it does not go on just now. */
    table.jsonb('trouble');
    /** How far the mail log was read for it. */
    table.text('log_cursor');
    /** From where it is read again for messages of which nobody knows whether they got through, and since when. */
    table.text('check_cursor');
    table.timestamp('check_since');
    /** When it is looked again what became of its messages. */
    table.timestamp('look_at');
  });
  await db.schema.createTable('mail_bulk_recipients', (table) => {
    table
      .bigInteger('mailing')
      .notNullable()
      .references('id')
      .inTable('mail_bulk_mailings')
      .onDelete('cascade');
    table.integer('no').notNullable();
    table.text('address').notNullable();
    table.text('name').notNullable();
    table.text('login').notNullable();
    table
      .text('state')
      .notNullable()
      .checkIn([
        ...['leftOut', 'waiting', 'sending', 'checking', 'doubtful', 'accepted'],
        ...['deferred', 'delivered', 'refused', 'bounced', 'deleted', 'unsent'],
      ]);
    table.text('queue_id').notNullable().defaultTo('');
    /** What a server said, or why somebody is left out. */
    table.text('reply').notNullable().defaultTo('');
    table.integer('attempts').notNullable().defaultTo(0);
    table.timestamp('next_try_at');
    table.timestamp('sent_at');
    table.timestamp('changed_at').notNullable().defaultTo(db.fn.now());
    table.primary(['mailing', 'no']);
  });
  await db.raw(
    'create index mail_bulk_recipients_state on mail_bulk_recipients (mailing, state, no)',
  );
  await db.schema.createTable('mail_bulk_attachments', (table) => {
    table.uuid('id').primary();
    /** Null while the form it came with is not complete. */
    table
      .bigInteger('mailing')
      .references('id')
      .inTable('mail_bulk_mailings')
      .onDelete('cascade')
      .index();
    table.integer('no').notNullable().defaultTo(0);
    table.text('name').notNullable();
    table.text('type').notNullable();
    table.integer('size').notNullable();
    table.text('actor').notNullable();
    table.timestamp('at').notNullable().defaultTo(db.fn.now());
  });
  await db.schema.createTable('mail_bulk_attachment_pieces', (table) => {
    table
      .uuid('attachment')
      .notNullable()
      .references('id')
      .inTable('mail_bulk_attachments')
      .onDelete('cascade');
    table.integer('no').notNullable();
    table.binary('bytes').notNullable();
    table.primary(['attachment', 'no']);
  });
}
