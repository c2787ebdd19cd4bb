/** Rows of `mail_guide`: what was done that no setting tells. */
import type { Knex } from 'knex';

const TABLE = 'mail_guide';

/** `tested`: a test message was taken by its recipient's server. `hidden`: somebody put the guide away. */
export type Mark = 'hidden' | 'tested';

export async function readMarks(db: Knex): Promise<ReadonlyMap<Mark, Date>> {
  const rows = await db<{ mark: Mark; at: Date }>(TABLE).select('mark', 'at');
  return new Map(rows.map(({ mark, at }) => [mark, at]));
}

export async function setMark(db: Knex, mark: Mark, actor: string): Promise<void> {
  await db(TABLE).insert({ mark, actor }).onConflict('mark').merge({ at: db.fn.now(), actor });
}

export async function clearMark(db: Knex, mark: Mark): Promise<void> {
  await db(TABLE).where({ mark }).delete();
}
