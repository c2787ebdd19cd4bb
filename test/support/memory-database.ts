/** A database in memory, of the same make as the embedded one, for tests of pages and rules. */
import { PGlite } from '@electric-sql/pglite';
import type { Knex } from 'knex';
import { embeddedPool } from '../../lib/database/pool.js';
import { silentLog } from './log.js';

export interface MemoryDatabase {
  readonly db: Knex;
  close(): Promise<void>;
}

export async function openMemoryDatabase(): Promise<MemoryDatabase> {
  const pglite = new PGlite();
  await pglite.waitReady;
  const db = embeddedPool(pglite, silentLog);
  return {
    db,
    async close() {
      await db.destroy();
      await pglite.close();
    },
  };
}
