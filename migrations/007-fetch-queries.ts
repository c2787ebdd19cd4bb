import type { Knex } from 'knex';

/** Fetchmail queries: one row each; `remote_password` holds the sealed password. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('mail_fetch_queries', (table) => {
    table.bigIncrements('id');
    table.text('name').notNullable();
    table.boolean('same_server').notNullable();
    table.text('server').notNullable();
    table.boolean('enabled').notNullable();
    table.text('protocol').notNullable();
    table.integer('port');
    table.text('remote_user').notNullable();
    table.text('remote_password');
    table.text('destination').notNullable();
    table.specificType('users', 'text[]').notNullable();
    table.text('alias').notNullable();
    table.text('address').notNullable();
    table.specificType('local_domains', 'text[]').notNullable();
    table.text('envelope').notNullable();
    table.text('envelope_prefix').notNullable();
    table.text('smtp_domain').notNullable();
    table.text('ssl').notNullable();
    table.text('certificate').notNullable();
    table.text('fingerprint').notNullable();
    table.boolean('keep').notNullable();
    table.boolean('fetch_all').notNullable();
    table.specificType('folders', 'text[]').notNullable();
    table.integer('interval').notNullable();
    table.integer('timeout').notNullable();
    table.specificType('size_limit', 'double precision');
    table.integer('fetch_limit');
    table.integer('batch_limit');
    table.integer('expunge');
    table.boolean('drop_delivered').notNullable();
    table.integer('version').notNullable().defaultTo(db.raw(`nextval('mail_versions')`));
    table.timestamp('updated_at').notNullable().defaultTo(db.fn.now());
    table.text('updated_by').notNullable();
  });
}
