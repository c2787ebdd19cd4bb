/** The recipients of mailings, and what became of each one's message. */
import type { Knex } from 'knex';
import { OPEN_STATES, type FollowedId, type RecipientState } from './schema.js';

const RECIPIENTS = 'mail_bulk_recipients';
/** Rows of one statement. */
const AT_ONCE = 1_000;

export interface Recipient {
  readonly no: number;
  readonly address: string;
  readonly name: string;
  readonly login: string;
  readonly state: RecipientState;
  readonly queueId: string;
  readonly reply: string;
  readonly attempts: number;
  readonly sentAt: Date | null;
  readonly changedAt: Date;
}

interface RecipientRow {
  readonly no: number;
  readonly address: string;
  readonly name: string;
  readonly login: string;
  readonly state: RecipientState;
  readonly queue_id: string;
  readonly reply: string;
  readonly attempts: number;
  readonly sent_at: Date | null;
  readonly changed_at: Date;
}

/** There is one for each of thousands: written out it takes 112 bytes, put together with a spread 464. */
function recipientOf(row: RecipientRow): Recipient {
  return {
    no: row.no,
    address: row.address,
    name: row.name,
    login: row.login,
    state: row.state,
    queueId: row.queue_id,
    reply: row.reply,
    attempts: row.attempts,
    sentAt: row.sent_at,
    changedAt: row.changed_at,
  };
}

export type NewRecipient = Pick<Recipient, 'address' | 'name' | 'login' | 'state' | 'reply'>;

/** Numbers them from 1, in their order. */
export async function insertRecipients(
  db: Knex,
  mailing: string,
  recipients: readonly NewRecipient[],
): Promise<void> {
  for (let at = 0; at < recipients.length; at += AT_ONCE) {
    const rows = recipients
      .slice(at, at + AT_ONCE)
      .map((one, index) => ({ ...one, no: at + index + 1 }));
    await db.raw(
      `insert into mail_bulk_recipients (mailing, no, address, name, login, state, reply)
       select ?, no, address, name, login, state, reply from jsonb_to_recordset(?::jsonb)
         as r(no integer, address text, name text, login text, state text, reply text)`,
      [mailing, JSON.stringify(rows)],
    );
  }
}

/** Marks the next ones as being sent, durably, while their mailing is running. They are whoever called's to send. */
export async function claimRecipients(
  db: Knex,
  mailing: string,
  limit: number,
): Promise<readonly Recipient[]> {
  const answer: { rows: RecipientRow[] } = await db.raw(
    `update mail_bulk_recipients as r
        set state = 'sending', sent_at = clock_timestamp(), changed_at = clock_timestamp()
      where r.mailing = ? and r.no in (
        select n.no from mail_bulk_recipients as n
         where n.mailing = ? and n.state = 'waiting'
           and (n.next_try_at is null or n.next_try_at <= clock_timestamp())
         order by n.no limit ?)
        and exists (select 1 from mail_bulk_mailings where id = ? and state = 'running')
      returning r.*`,
    [mailing, mailing, limit, mailing],
  );
  return answer.rows.map(recipientOf).sort((a, b) => a.no - b.no);
}

/** What became of one that was being sent. */
export interface Outcome {
  readonly no: number;
  readonly state: 'accepted' | 'refused' | 'waiting' | 'checking';
  readonly queueId: string;
  readonly reply: string;
  /** The mail server answered: it counts as a try. */
  readonly tried: boolean;
  /** Not again before so many seconds have passed. */
  readonly delay: number;
}

/** The mail server has not heard of this one. */
export function untouched({ no, reply }: Recipient): Outcome {
  return { no, state: 'waiting', queueId: '', reply, tried: false, delay: 0 };
}

/** Only rows that are still being sent: the log may have told more already. */
export async function settleSending(
  db: Knex,
  mailing: string,
  outcomes: readonly Outcome[],
): Promise<void> {
  if (outcomes.length === 0) return;
  const rows = outcomes.map(({ no, state, queueId, reply, tried, delay }) => {
    return { no, state, queue_id: queueId, reply, tries: tried ? 1 : 0, delay };
  });
  await db.raw(
    `update mail_bulk_recipients as r
        set state = o.state, reply = o.reply, attempts = r.attempts + o.tries,
            queue_id = case when o.queue_id = '' then r.queue_id else o.queue_id end,
            next_try_at = case when o.delay > 0 then clock_timestamp() + make_interval(secs => o.delay) end,
            changed_at = clock_timestamp()
       from jsonb_to_recordset(?::jsonb)
         as o(no integer, state text, queue_id text, reply text, tries integer, delay integer)
      where r.mailing = ? and r.no = o.no and r.state = 'sending'`,
    [JSON.stringify(rows), mailing],
  );
}

/** Whoever sent them is gone: what became of them has to be found out. Returns how many. */
export async function checkAllSending(db: Knex, mailing: string): Promise<number> {
  return db(RECIPIENTS)
    .where({ mailing, state: 'sending' })
    .update({ state: 'checking', changed_at: db.fn.now() });
}

/** From one state into another; returns how many. */
export async function moveRecipients(
  db: Knex,
  mailing: string,
  from: readonly RecipientState[],
  to: RecipientState,
): Promise<number> {
  return db(RECIPIENTS)
    .where({ mailing })
    .whereIn('state', [...from])
    .update({ state: to, changed_at: db.fn.now(), next_try_at: null });
}

/** Nobody waits any more for a mailing that was stopped; it is looked at and changed at once, for it may be taken up again. */
export async function dropWaitingOfCancelled(db: Knex, mailing: string): Promise<void> {
  await db.raw(
    `update mail_bulk_recipients set state = 'unsent', changed_at = clock_timestamp(), next_try_at = null
      where mailing = ? and state = 'waiting'
        and exists (select 1 from mail_bulk_mailings where id = ? and state = 'cancelled')`,
    [mailing, mailing],
  );
}

export type RecipientCounts = Readonly<Record<RecipientState, number>>;

export const NO_COUNTS: RecipientCounts = {
  leftOut: 0,
  waiting: 0,
  sending: 0,
  checking: 0,
  doubtful: 0,
  accepted: 0,
  deferred: 0,
  delivered: 0,
  refused: 0,
  bounced: 0,
  deleted: 0,
  unsent: 0,
};

export async function countRecipients(
  db: Knex,
  mailings: readonly string[],
): Promise<ReadonlyMap<string, RecipientCounts>> {
  const rows = await db(RECIPIENTS)
    .whereIn('mailing', [...mailings])
    .groupBy('mailing', 'state')
    .select<{ mailing: string; state: RecipientState; count: string }[]>(
      'mailing',
      'state',
      db.raw('count(*) as count'),
    );
  const counts = new Map<string, RecipientCounts>();
  for (const { mailing, state, count } of rows) {
    const id = String(mailing);
    counts.set(id, { ...(counts.get(id) ?? NO_COUNTS), [state]: Number(count) });
  }
  return counts;
}

/** How many were given to the mail server within the last `seconds`. */
export async function countSentLately(db: Knex, mailing: string, seconds: number): Promise<number> {
  const row = await db(RECIPIENTS)
    .where({ mailing })
    .whereNotIn('state', ['leftOut', ...OPEN_STATES])
    .whereRaw('sent_at > clock_timestamp() - make_interval(secs => ?)', [seconds])
    .first<{ count: string } | undefined>(db.raw('count(*) as count'));
  return Number(row?.count ?? 0);
}

export interface RecipientQuery {
  readonly states: readonly RecipientState[];
  /** Part of an address or a name. */
  readonly search: string;
  readonly after: number;
  readonly limit: number;
}

/** In the order of their numbers. */
export async function readRecipients(
  db: Knex,
  mailing: string,
  { states, search, after, limit }: RecipientQuery,
): Promise<readonly Recipient[]> {
  const rows = await matching(db, mailing, states, search)
    .where('no', '>', after)
    .orderBy('no')
    .limit(limit)
    .select<RecipientRow[]>();
  return rows.map(recipientOf);
}

export async function countMatching(
  db: Knex,
  mailing: string,
  { states, search }: Pick<RecipientQuery, 'states' | 'search'>,
): Promise<number> {
  const row = await matching(db, mailing, states, search).first<{ count: string } | undefined>(
    db.raw('count(*) as count'),
  );
  return Number(row?.count ?? 0);
}

function matching(
  db: Knex,
  mailing: string,
  states: readonly RecipientState[],
  search: string,
): Knex.QueryBuilder {
  const query = db(RECIPIENTS)
    .where({ mailing })
    .whereIn('state', [...states]);
  if (search === '') return query;
  const pattern = `%${search.replace(/[\\%_]/g, '\\$&')}%`;
  return query.whereRaw('(address ilike ? or name ilike ?)', [pattern, pattern]);
}

/** Queue ids of messages whose end is not known yet. */
export async function readFollowed(db: Knex, mailing: string): Promise<readonly FollowedId[]> {
  const rows = await db(RECIPIENTS)
    .where({ mailing })
    .whereIn('state', ['accepted', 'deferred', 'sending', 'checking', 'waiting', 'doubtful'])
    .whereNot('queue_id', '')
    .select<{ queue_id: string; no: number }[]>('queue_id', 'no');
  return rows.map(({ queue_id: id, no }) => [id, no]);
}

/** What is known of a message before the log is asked. */
export interface Known {
  readonly no: number;
  readonly state: RecipientState;
  readonly queueId: string;
  readonly reply: string;
}

/** Within a transaction: nobody else changes them before it ends. */
export async function readKnown(
  db: Knex,
  mailing: string,
  numbers: readonly number[],
): Promise<readonly Known[]> {
  const rows = await db(RECIPIENTS)
    .where({ mailing })
    .whereRaw('no = any(?::integer[])', [[...numbers]])
    .forUpdate()
    .select<{ no: number; state: RecipientState; queue_id: string; reply: string }[]>(
      'no',
      'state',
      'queue_id',
      'reply',
    );
  return rows.map(({ queue_id: queueId, ...rest }) => ({ ...rest, queueId }));
}

export async function updateKnown(
  db: Knex,
  mailing: string,
  rows: readonly Known[],
): Promise<void> {
  for (let at = 0; at < rows.length; at += AT_ONCE) {
    const piece = rows
      .slice(at, at + AT_ONCE)
      .map(({ queueId, ...rest }) => ({ ...rest, queue_id: queueId }));
    await db.raw(
      `update mail_bulk_recipients as r
          set state = k.state, queue_id = k.queue_id, reply = k.reply, changed_at = clock_timestamp()
         from jsonb_to_recordset(?::jsonb) as k(no integer, state text, queue_id text, reply text)
        where r.mailing = ? and r.no = k.no`,
      [JSON.stringify(piece), mailing],
    );
  }
}

/** Null while none was sent. */
export async function secondsSinceLastSent(db: Knex, mailing: string): Promise<number | null> {
  const row = await db(RECIPIENTS)
    .where({ mailing })
    .first<{ seconds: string | null } | undefined>(
      db.raw('extract(epoch from clock_timestamp() - max(sent_at)) as seconds'),
    );
  return row === undefined || row.seconds === null ? null : Math.max(0, Number(row.seconds));
}

/** Seconds until the next one may be tried; null when none waits. */
export async function secondsToNextTry(db: Knex, mailing: string): Promise<number | null> {
  const row = await db(RECIPIENTS)
    .where({ mailing, state: 'waiting' })
    .first<{ seconds: string | null } | undefined>(
      db.raw(
        `extract(epoch from min(coalesce(next_try_at, clock_timestamp())) - clock_timestamp()) as seconds`,
      ),
    );
  return row?.seconds === null || row === undefined ? null : Math.max(0, Number(row.seconds));
}

/** Recipients of another mailing in these states become this one's. */
export async function copyRecipients(
  db: Knex,
  from: string,
  to: string,
  states: readonly RecipientState[],
): Promise<void> {
  await db.raw(
    `insert into ?? (mailing, no, address, name, login, state)
     select ?, row_number() over (order by no), address, name, login, 'waiting' from ??
      where mailing = ? and state = any(?::text[])`,
    [RECIPIENTS, to, RECIPIENTS, from, [...states]],
  );
}

/** Ages of those that are being checked, in seconds: since the first was sent, and since the last began to be checked. */
export async function checkTimes(
  db: Knex,
  mailing: string,
): Promise<{ readonly firstSentAge: number; readonly lastChangeAge: number } | null> {
  const row = await db(RECIPIENTS)
    .where({ mailing, state: 'checking' })
    .first<{ count: string; first: string; last: string } | undefined>(
      db.raw('count(*) as count'),
      db.raw('extract(epoch from clock_timestamp() - min(sent_at)) as first'),
      db.raw('extract(epoch from clock_timestamp() - max(changed_at)) as last'),
    );
  if (row === undefined || Number(row.count) === 0) return null;
  return { firstSentAge: Math.max(0, Number(row.first)), lastChangeAge: Number(row.last) };
}
