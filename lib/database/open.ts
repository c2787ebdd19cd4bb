/** Opens the database: embedded in the state folder, or a PostgreSQL server named by `DATABASE_URL`. */
import { join } from 'node:path';
import type { Knex } from 'knex';
import type { Log } from '../contract.js';
import { openEmbedded } from './embedded.js';
import { voidLeases } from './lease.js';
import { embeddedPool, serverPool } from './pool.js';
import { examineServer } from './server.js';
import { vacuumNowAndThen } from './vacuum.js';
import { watch } from './watchdog.js';

export interface OpenOptions {
  /** The embedded database lives in its folder `database`. */
  readonly stateDir: string;
  /** A PostgreSQL server; undefined or empty for the embedded database. */
  readonly url?: string | undefined;
  readonly log: Log;
}

export interface Database {
  readonly db: Knex;
  readonly engine: 'embedded' | 'postgres';
  /** Finishes what runs and gives the folder free. An open embedded database keeps the process alive. */
  readonly close: () => Promise<void>;
}

/** Throws `DatabaseStartError` with a message for the person at the terminal. Runs no migrations. */
export function openDatabase({ stateDir, url, log }: OpenOptions): Promise<Database> {
  return url ? openServer(url, log) : openFolder(join(stateDir, 'database'), log);
}

async function openServer(url: string, log: Log): Promise<Database> {
  const db = serverPool(url, log);
  try {
    await examineServer(db);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return { db, engine: 'postgres', close: () => db.destroy() };
}

async function openFolder(folder: string, log: Log): Promise<Database> {
  const started = Date.now();
  const embedded = await openEmbedded(folder);
  const db = embeddedPool(embedded.pglite, log);
  const watchdog = watch(embedded, { log });
  await voidLeases(db);
  const vacuuming = vacuumNowAndThen(db, log);
  log.info({ folder, ms: Date.now() - started }, 'embedded database is open');
  return {
    db,
    engine: 'embedded',
    close: async () => {
      await vacuuming.stop();
      await db.destroy();
      await watchdog.stop();
      await embedded.close();
    },
  };
}
