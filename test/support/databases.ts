/** Both database engines behind one face, for tests that must hold on each. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { openDatabase, type Database } from '../../lib/database/open.js';
import { provideDatabase } from '../../lib/lab/kept.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { silentLog } from './log.js';
import { startPostgres } from './postgres.js';

export interface Databases {
  /** A database with the plugin's tables and nothing in them. The one before is closed, or emptied. */
  fresh(): Promise<Knex>;
  /** A second way into the same database, as another process has it; only a server has one. */
  another(): Promise<Knex>;
  stop(): Promise<void>;
}

export const engines: Readonly<Record<string, () => Promise<Databases>>> = {
  'the embedded database': startEmbedded,
  'a PostgreSQL server': startServer,
};

async function startEmbedded(): Promise<Databases> {
  const stateDir = mkdtempSync(join(tmpdir(), 'mailserver-db-'));
  await provideDatabase({ consoleState: stateDir }, PACKAGE_ROOT);
  const database = await openDatabase({ stateDir, log: silentLog });
  const { db } = database;
  return {
    fresh: async () => {
      await db.raw('drop schema public cascade');
      await db.raw('create schema public');
      await migrateMail(db);
      return db;
    },
    another: () => Promise.reject(new Error('the embedded database has one session')),
    stop: async () => {
      await database.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

async function startServer(): Promise<Databases> {
  const server = await startPostgres();
  const open: Database[] = [];
  let url = '';
  const connect = async () => {
    const database = await openDatabase({ stateDir: '/nowhere', url, log: silentLog });
    open.push(database);
    return database.db;
  };
  const closeAll = () => Promise.all(open.splice(0).map((database) => database.close()));
  return {
    fresh: async () => {
      await closeAll();
      url = await server.createDatabase();
      const db = await connect();
      await migrateMail(db);
      return db;
    },
    another: connect,
    stop: async () => {
      await closeAll();
      await server.stop();
    },
  };
}
