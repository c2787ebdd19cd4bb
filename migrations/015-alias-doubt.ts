import type { Knex } from 'knex';

/**
 * A save of one alias takes the same time whatever leads to it. Who leads there is followed in the save itself as long as
 * they are few, step by step, each step one question; where they are more, all aliases are looked at again in the
 * background, and keep the state they had until then. Where nothing is other for the mail, nobody is in doubt.
 */
export async function up(db: Knex): Promise<void> {
  // Counted up before anything comes into doubt: what was judged before that is out of date.
  await db.raw(
    'alter table mail_alias_work add column if not exists turn bigint not null default 0',
  );
  await createDoubt(db);
  await createFollow(db);
  // Some were not followed until now.
  await db.raw(`update mail_alias_work set sweep = ''`);
}

/** States that the database sets by itself. */
const UNCHECKED = 50;
const OFF = 90;

/** Statements that write more rows than this have all aliases looked at again, instead of those that refer to the rows. */
const FOLLOWED_ROWS = 20;

/** Aliases that one save brings into doubt, and steps to the furthest of them; beyond, all are looked at again. */
const FOLLOWED_ALIASES = 500;
const FOLLOWED_STEPS = 20;

/** What may stand behind a local part: its domain, or what begins an extension; each with the code of the sign after it. */
const NAME_GOES_ON = [...'@+-_=#'].map((sign) => `('${sign}', ascii('${sign}') + 1)`).join(', ');

/**
 * Whoever leads to one of these names, and those that are called so in another domain or with an extension, of which one
 * comes before the other. An extension travels along, so also who leads to the name without it.
 */
async function createDoubt(db: Knex): Promise<void> {
  await db.raw(`
    create or replace function mail_alias_doubt(names text[]) returns void language plpgsql
      set enable_seqscan = off
    as $$
    declare
      wanted text[] := mail_alias_refs(names);
      asked text[] := wanted;
      seen bigint[] := '{}';
      fresh bigint[];
      came text[];
      catches boolean;
    begin
      for step in 1..${FOLLOWED_STEPS} loop
        select coalesce(array_agg(found.alias_id), '{}'), coalesce(array_agg(found.name collate "default"), '{}'),
               bool_or(found.name like '@%')
          into fresh, came, catches
          from ((select one.alias_id, one.name from mail_alias_index as one
                  where one.refs && wanted and one.state <> ${OFF} and one.alias_id <> all(seen)
                  limit ${FOLLOWED_ALIASES + 1})
                union
                (select one.alias_id, one.name
                   from unnest(wanted) as ref
                  cross join (values ('', 1), ${NAME_GOES_ON}) as sign (text, above)
                  cross join lateral (select * from mail_alias_index as each
                                       where each.name >= ref || sign.text and each.name < ref || chr(sign.above) offset 0) as one
                  where one.state <> ${OFF} and one.alias_id <> all(seen)
                  limit ${FOLLOWED_ALIASES + 1})) as found;
        -- Who leads to an unknown recipient does not name the alias that catches it.
        exit when catches or cardinality(seen) + cardinality(fresh) > ${FOLLOWED_ALIASES};
        seen := seen || fresh;
        wanted := array(select unnest(mail_alias_refs(came)) except select unnest(asked));
        asked := asked || wanted;
        if cardinality(wanted) = 0 then
          update mail_alias_index set state = ${UNCHECKED}
           where alias_id = any(seen) and state not in (${UNCHECKED}, ${OFF});
          return;
        end if;
      end loop;
      update mail_alias_work set sweep = '' where sweep is distinct from '';
    end $$`);
}

async function createFollow(db: Knex): Promise<void> {
  await db.raw(`
    create or replace function mail_alias_follow() returns trigger language plpgsql as $$
    declare
      names text[] := '{}';
    begin
      update mail_alias_work set turn = turn + 1;
      if tg_op = 'INSERT' then
        insert into mail_alias_index (alias_id, name, goes, refs, state)
          select id, name, coalesce(targets[1], ''), mail_alias_refs(targets),
                 case when enabled then ${UNCHECKED} else ${OFF} end from new_rows;
        names := array(select name from new_rows where enabled);
      elsif tg_op = 'UPDATE' then
        update mail_alias_index as one
           set name = row.name, goes = coalesce(row.targets[1], ''), refs = mail_alias_refs(row.targets),
               state = case when not row.enabled then ${OFF}
                            when was.enabled and was.name = row.name and was.targets = row.targets then one.state
                            else ${UNCHECKED} end
          from new_rows as row join old_rows as was on was.id = row.id where one.alias_id = row.id;
        names := array(
          select distinct side.name from new_rows as row join old_rows as was on was.id = row.id
            cross join lateral (values (was.name, was.enabled), (row.name, row.enabled)) as side (name, enabled)
           where side.enabled and (was.name, was.targets, was.enabled) is distinct from (row.name, row.targets, row.enabled));
      else
        delete from mail_alias_index as one using old_rows as row where one.alias_id = row.id;
        names := array(select name from old_rows where enabled);
      end if;
      if cardinality(names) > ${FOLLOWED_ROWS} or exists (select 1 from unnest(names) as name where name like '@%') then
        update mail_alias_work set sweep = '' where sweep is distinct from '';
      elsif cardinality(names) > 0 then
        perform mail_alias_doubt(names);
      end if;
      return null;
    end $$`);
}
