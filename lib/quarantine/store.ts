/** How long mail in the quarantine is kept. */
import type { Knex } from 'knex';

const TABLE = 'mail_quarantine_settings';

/** Days; null until somebody chose. */
export async function readKeepDays(db: Knex): Promise<number | null> {
  const row = await db(TABLE).where({ id: 1 }).first<{ keep_days: number } | undefined>();
  return row?.keep_days ?? null;
}

export async function writeKeepDays(db: Knex, days: number, actor: string): Promise<void> {
  await db(TABLE)
    .insert({ id: 1, keep_days: days, actor, changed_at: db.fn.now() })
    .onConflict('id')
    .merge();
}
