/** Leases: what only one process at a time may do, given free by itself when that process dies. */
import type { Knex } from 'knex';
import type { Log } from '../contract.js';

/** How long a lease lasts without being renewed, in seconds of the database's clock. */
export const LEASE_SECONDS = 20;

const RENEW_EVERY_MS = 5_000;

/** Takes the lease, or renews it. False when another holder's has not run out. */
export async function takeLease(db: Knex, name: string, holder: string): Promise<boolean> {
  const answer: { rows: unknown[] } = await db.raw(
    `insert into mail_leases (name, holder, expires_at)
       values (?, ?, clock_timestamp() + make_interval(secs => ?))
     on conflict (name) do update set holder = excluded.holder, expires_at = excluded.expires_at
       where mail_leases.holder = excluded.holder or mail_leases.expires_at < clock_timestamp()
     returning holder`,
    [name, holder, LEASE_SECONDS],
  );
  return answer.rows.length === 1;
}

export async function releaseLease(db: Knex, name: string, holder: string): Promise<void> {
  await db('mail_leases').where({ name, holder }).delete();
}

/** For a database that only this process can have open: whoever held a lease is dead. */
export async function voidLeases(db: Knex): Promise<void> {
  if (await db.schema.hasTable('mail_leases')) await db('mail_leases').delete();
}

/** Renews a taken lease until the returned function is called. */
export function keepLease(db: Knex, name: string, holder: string, log: Log): () => void {
  const timer = setInterval(() => {
    takeLease(db, name, holder).then(
      (held) => {
        if (!held) log.warn({ name }, 'lost a lease to another process');
      },
      (error: unknown) => log.warn({ name, error }, 'could not renew a lease'),
    );
  }, RENEW_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
