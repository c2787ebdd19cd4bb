/** Mailings: what is sent, and how far that is. Their recipients have a store of their own. */
import type { Knex } from 'knex';
import { KEPT_MAILINGS, type MailingIdentity, type MailingState } from './schema.js';

const MAILINGS = 'mail_bulk_mailings';

/** What somebody writes; changed only while it is a draft. */
export interface MailingValues {
  readonly sender: string;
  readonly senderName: string;
  readonly subject: string;
  readonly body: string;
  readonly formatted: boolean;
  /** Names of groups and logins; nothing included means everybody. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Messages a minute; 0 as fast as they are taken. */
  readonly rate: number;
}

/** Why a mailing does not go on just now: a key below `bulk.trouble.`. */
export interface Trouble {
  readonly kind: string;
  /** What a server said. */
  readonly reply: string;
  readonly since: string;
}

export interface Mailing extends MailingValues {
  readonly id: string;
  readonly key: string;
  /** Never shown and never sent. */
  readonly secret: string;
  readonly version: number;
  readonly state: MailingState;
  readonly againOf: string | null;
  readonly actor: string;
  readonly changedAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly trouble: Trouble | null;
  readonly logCursor: string | null;
  readonly checkCursor: string | null;
  readonly checkSince: Date | null;
}

interface MailingRow {
  readonly id: string;
  readonly key: string;
  /** Never shown and never sent. */
  readonly secret: string;
  readonly version: number;
  readonly state: MailingState;
  readonly sender: string;
  readonly sender_name: string;
  readonly subject: string;
  readonly body: string;
  readonly formatted: boolean;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly rate: number;
  readonly again_of: string | null;
  readonly actor: string;
  readonly changed_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly trouble: Trouble | null;
  readonly log_cursor: string | null;
  readonly check_cursor: string | null;
  readonly check_since: Date | null;
}

function mailingOf(row: MailingRow): Mailing {
  const { id, key, secret, version, state, sender, subject, body, formatted, include, exclude } =
    row;
  return {
    ...{ key, secret, version, state, sender, subject, body, formatted, include, exclude },
    id: String(id),
    senderName: row.sender_name,
    rate: row.rate,
    againOf: row.again_of === null ? null : String(row.again_of),
    actor: row.actor,
    changedAt: row.changed_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    trouble: row.trouble,
    logCursor: row.log_cursor,
    checkCursor: row.check_cursor,
    checkSince: row.check_since,
  };
}

/** Only what somebody writes, whatever else there is beside it. */
function rowOf(values: MailingValues): object {
  const { sender, senderName, subject, body, formatted, include, exclude, rate } = values;
  return {
    ...{ sender, subject, body, formatted, rate },
    sender_name: senderName,
    include: [...include],
    exclude: [...exclude],
  };
}

/** A new draft; the oldest mailings that are over go for it. */
export async function insertMailing(
  db: Knex,
  identity: MailingIdentity,
  values: MailingValues,
  actor: string,
  againOf: string | null = null,
): Promise<string> {
  const [made] = await db(MAILINGS)
    .insert({ ...rowOf(values), ...identity, actor, again_of: againOf })
    .returning<{ id: string }[]>('id');
  if (made === undefined) throw new Error('the mailing got no id');
  await db(MAILINGS)
    .whereIn('state', ['draft', 'done', 'cancelled'])
    .whereNotIn('id', db(MAILINGS).select('id').orderBy('id', 'desc').limit(KEPT_MAILINGS))
    .delete();
  return String(made.id);
}

/** False when it is no draft any more, or somebody else has changed it. */
export async function updateDraft(
  db: Knex,
  id: string,
  version: number,
  values: MailingValues,
  actor: string,
): Promise<boolean> {
  const count = await db(MAILINGS)
    .where({ id, version, state: 'draft' })
    .update({ ...rowOf(values), actor, version: version + 1, changed_at: db.fn.now() });
  return count === 1;
}

export async function readMailing(db: Knex, id: string): Promise<Mailing | null> {
  const row = await db(MAILINGS).where({ id }).first<MailingRow | undefined>();
  return row === undefined ? null : mailingOf(row);
}

/** False when it was not one any more. */
export async function deleteDraft(db: Knex, id: string): Promise<boolean> {
  return (await db(MAILINGS).where({ id, state: 'draft' }).delete()) === 1;
}

/** The newest first; those before `before`, if one is given. */
export async function readMailings(
  db: Knex,
  { before, limit }: { readonly before: string; readonly limit: number },
): Promise<readonly Mailing[]> {
  const rows = await db(MAILINGS)
    .modify((query) => {
      if (before !== '') void query.where('id', '<', before);
    })
    .orderBy('id', 'desc')
    .limit(limit)
    .select<MailingRow[]>();
  return rows.map(mailingOf);
}

/** The draft that was shown begins to be sent, once: a second click finds it under way. */
export async function startDraft(db: Knex, id: string, version: number): Promise<boolean> {
  const count = await db(MAILINGS)
    .where({ id, version, state: 'draft' })
    .update({ state: 'running', started_at: db.fn.now(), version: version + 1 });
  return count === 1;
}

/** From one state into another; false when it was in none of those. */
export async function moveMailing(
  db: Knex,
  id: string,
  from: readonly MailingState[],
  to: MailingState,
): Promise<boolean> {
  const over = to === 'done' || to === 'cancelled';
  const count = await db(MAILINGS)
    .where({ id })
    .whereIn('state', [...from])
    .update({
      state: to,
      finished_at: over ? db.fn.now() : null,
      ...(over || to === 'paused' ? { look_at: db.fn.now() } : {}),
      ...(to === 'paused' ? {} : { trouble: null }),
    });
  return count === 1;
}

/** The oldest mailing that is to be sent now; one that only waits for somebody's next try lets the others go first. */
export async function firstRunning(db: Knex): Promise<Mailing | null> {
  const row = await db(MAILINGS)
    .where({ state: 'running' })
    .orderByRaw(
      `not exists (select 1 from mail_bulk_recipients as r where r.mailing = mail_bulk_mailings.id
         and (r.state in ('sending', 'checking')
              or r.state = 'waiting' and coalesce(r.next_try_at, '-infinity') <= clock_timestamp()))
       and exists (select 1 from mail_bulk_recipients as r
         where r.mailing = mail_bulk_mailings.id and r.state = 'waiting')`,
    )
    .orderBy('started_at')
    .orderBy('id')
    .first<MailingRow | undefined>();
  return row === undefined ? null : mailingOf(row);
}

/** One that is not being sent, but of whose messages more may be known by now. */
export async function firstToFollow(db: Knex): Promise<Mailing | null> {
  const row = await db(MAILINGS)
    .whereIn('state', ['paused', 'done', 'cancelled'])
    .whereRaw('look_at <= clock_timestamp()')
    .orderBy('look_at')
    .first<MailingRow | undefined>();
  return row === undefined ? null : mailingOf(row);
}

/** Null: nothing more is expected. */
export async function lookAgainIn(db: Knex, id: string, seconds: number | null): Promise<void> {
  await db(MAILINGS)
    .where({ id })
    .update({
      look_at:
        seconds === null ? null : db.raw('clock_timestamp() + make_interval(secs => ?)', [seconds]),
    });
}

export async function noteTrouble(db: Knex, id: string, trouble: Trouble | null): Promise<void> {
  await db(MAILINGS)
    .where({ id })
    .update({ trouble: trouble === null ? null : JSON.stringify(trouble) });
}

export async function noteLogCursor(db: Knex, id: string, cursor: string): Promise<void> {
  await db(MAILINGS).where({ id }).update({ log_cursor: cursor });
}

/** From where the log is read again until it is known what became of messages; where it began stays, once it is set. */
export async function beginCheck(db: Knex, id: string): Promise<void> {
  await db(MAILINGS)
    .where({ id })
    .whereNull('check_since')
    .update({ check_cursor: db.ref('log_cursor'), check_since: db.fn.now() });
}

export async function endCheck(db: Knex, id: string): Promise<void> {
  await db(MAILINGS).where({ id }).update({ check_cursor: null, check_since: null });
}
