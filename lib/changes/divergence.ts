/** The mark that settings and system do not follow each other, kept until somebody has compared and decided. */
import type { Knex } from 'knex';
import type { Divergence } from './change.js';

const KEY = 'divergence';

export async function readDivergence(db: Knex): Promise<Divergence | null> {
  const row = await db('mail_meta').where('key', KEY).first<{ value: Divergence }>('value');
  return row?.value ?? null;
}

export async function markDivergence(db: Knex, divergence: Divergence): Promise<void> {
  await db('mail_meta')
    .insert({ key: KEY, value: JSON.stringify(divergence) })
    .onConflict('key')
    .merge();
}

export async function clearDivergence(db: Knex): Promise<void> {
  await db('mail_meta').where('key', KEY).delete();
}
