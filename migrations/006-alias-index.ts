import type { Knex } from 'knex';

/**
 * What the list of aliases is found, filtered and sorted by, kept by the database itself, so that an undo, an import or a
 * change that is put back cannot leave it behind: one narrow row for each alias, and how many there are in each state.
 */
export async function up(db: Knex): Promise<void> {
  await createTables(db);
  await createFunctions(db);
  await createTriggers(db);
  await db.raw(`
    insert into mail_alias_index (alias_id, name, goes, refs, state)
      select id, name, coalesce(targets[1], ''), mail_alias_refs(targets),
             case when enabled then ${UNCHECKED} else ${OFF} end
        from mail_aliases`);
  await searchByTrigrams(db);
}

async function createTables(db: Knex): Promise<void> {
  await db.schema.createTable('mail_alias_index', (table) => {
    table.bigInteger('alias_id').primary();
    table.specificType('name', 'text collate "C"').notNullable();
    // The first target, for sorting.
    table.specificType('goes', 'text collate "C"').notNullable();
    // Local parts of the targets, with and without extension: who has to be looked at again when one of them changes.
    table.specificType('refs', 'text[]').notNullable();
    // The most urgent first.
    table.specificType('state', 'smallint').notNullable();
  });
  await db.raw('create index mail_alias_index_name on mail_alias_index (name)');
  await db.raw('create index mail_alias_index_goes on mail_alias_index (goes, name)');
  await db.raw('create index mail_alias_index_state on mail_alias_index (state, name)');
  await db.raw('create index mail_alias_index_refs on mail_alias_index using gin (refs)');
  await db.schema.createTable('mail_alias_counts', (table) => {
    table.specificType('state', 'smallint').primary();
    table.bigInteger('count').notNullable();
  });
  // What is still to be looked at: `sweep` is the name after which a look at all goes on, null when none is due.
  await db.schema.createTable('mail_alias_work', (table) => {
    table.boolean('only').primary().defaultTo(true).checkIn(['true']);
    table.specificType('sweep', 'text collate "C"');
    table.text('world');
  });
  await db('mail_alias_work').insert({ only: true, sweep: '' });
}

/** States that the database sets by itself. */
const UNCHECKED = 50;
const OFF = 90;

/** Statements that write more rows than this have all aliases looked at again, instead of those that refer to the rows. */
const FOLLOWED_ROWS = 20;

async function createFunctions(db: Knex): Promise<void> {
  await db.raw(`
    create or replace function mail_alias_refs(targets text[]) returns text[] language sql immutable as $$
      select coalesce(array_agg(distinct ref), '{}') from (
        select split_part(lower(target), '@', 1) as local from unnest(targets) as target
      ) as locals, lateral (
        values (local), (split_part(local, '+', 1)), (split_part(local, '-', 1)), (split_part(local, '_', 1)),
               (split_part(local, '=', 1)), (split_part(local, '#', 1))
      ) as cuts (ref) where ref <> ''
    $$`);
  // Whoever leads to one of these names, over as many aliases as it takes.
  await db.raw(`
    create or replace function mail_alias_doubt(names text[]) returns void language sql as $$
      with recursive above (ref) as (
        select distinct split_part(lower(name), '@', 1) from unnest(names) as name where name not like '@%'
        union
        select split_part(lower(one.name collate "default"), '@', 1)
          from above join mail_alias_index as one on one.refs @> array[above.ref]
      )
      update mail_alias_index as one set state = ${UNCHECKED}
        from above where one.refs @> array[above.ref] and one.state not in (${UNCHECKED}, ${OFF})
    $$`);
  await db.raw(`
    create or replace function mail_alias_follow() returns trigger language plpgsql as $$
    declare
      names text[] := '{}';
    begin
      if tg_op = 'INSERT' then
        insert into mail_alias_index (alias_id, name, goes, refs, state)
          select id, name, coalesce(targets[1], ''), mail_alias_refs(targets),
                 case when enabled then ${UNCHECKED} else ${OFF} end from new_rows;
        names := array(select name from new_rows);
      elsif tg_op = 'UPDATE' then
        update mail_alias_index as one
           set name = row.name, goes = coalesce(row.targets[1], ''), refs = mail_alias_refs(row.targets),
               state = case when row.enabled then ${UNCHECKED} else ${OFF} end
          from new_rows as row where one.alias_id = row.id;
        names := array(select name from new_rows union select name from old_rows);
      else
        delete from mail_alias_index as one using old_rows as row where one.alias_id = row.id;
        names := array(select name from old_rows);
      end if;
      if cardinality(names) > ${FOLLOWED_ROWS} or exists (select 1 from unnest(names) as name where name like '@%') then
        update mail_alias_work set sweep = '' where sweep is distinct from '';
      elsif cardinality(names) > 0 then
        perform mail_alias_doubt(names);
      end if;
      return null;
    end $$`);
  await db.raw(`
    create or replace function mail_alias_count() returns trigger language plpgsql as $$
    begin
      if tg_op <> 'INSERT' then
        insert into mail_alias_counts as known (state, count) select state, -count(*) from old_rows group by state
          on conflict (state) do update set count = known.count + excluded.count;
      end if;
      if tg_op <> 'DELETE' then
        insert into mail_alias_counts as known (state, count) select state, count(*) from new_rows group by state
          on conflict (state) do update set count = known.count + excluded.count;
      end if;
      return null;
    end $$`);
}

async function createTriggers(db: Knex): Promise<void> {
  const rows = {
    insert: 'referencing new table as new_rows',
    update: 'referencing old table as old_rows new table as new_rows',
    delete: 'referencing old table as old_rows',
  };
  const watched = [
    ['mail_aliases', 'mail_alias_follow'],
    ['mail_alias_index', 'mail_alias_count'],
  ];
  for (const [table, run] of watched) {
    for (const [event, named] of Object.entries(rows)) {
      await db.raw(
        `create trigger ${run}_${event} after ${event} on ${table} ${named} for each statement execute function ${run}()`,
      );
    }
  }
}

/** PostgreSQL's own module pg_trgm; where it is not installed, the search reads all rows. */
async function searchByTrigrams(db: Knex): Promise<void> {
  const found: { rows: unknown[] } = await db.raw(
    `select 1 from pg_available_extensions where name = 'pg_trgm'`,
  );
  if (found.rows.length === 0) return;
  try {
    await db.transaction(async (savepoint) => {
      await savepoint.raw('create extension if not exists pg_trgm');
      await savepoint.raw(
        'create index mail_aliases_search on mail_aliases using gin (search gin_trgm_ops)',
      );
    });
  } catch (error) {
    // Not allowed for this database user.
    if ((error as { code?: string }).code !== '42501') throw error;
  }
}
