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

/** Key of the mark that somebody compared and nothing differed: the next change makes the system follow this database. */
const AGREEMENT = 'agreement';

export async function markAgreement(db: Knex): Promise<void> {
  await clearDivergence(db);
  await db('mail_meta')
    .insert({ key: AGREEMENT, value: JSON.stringify(true) })
    .onConflict('key')
    .ignore();
}

export async function hasAgreement(db: Knex): Promise<boolean> {
  return (await db('mail_meta').where('key', AGREEMENT).first('key')) !== undefined;
}

export async function clearAgreement(db: Knex): Promise<void> {
  await db('mail_meta').where('key', AGREEMENT).delete();
}
