/** The Knex instances: one session for the embedded database, a small pool for a server. */
import type { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import knex, { type Knex } from 'knex';
import type { Log } from '../contract.js';

/** How long a query waits for a free session, in milliseconds. A `db()` inside a transaction on the embedded one runs into it. */
export const ACQUIRE_TIMEOUT_MS = 8_000;

const SERVER_SESSIONS = 10;

interface RawSession {
  query(sql: string, callback: (error: Error | null) => void): void;
}

/**
 * One PGlite instance is one session, so the pool holds one connection at most. Connections come and go while the session
 * stays: each new one ends a transaction that its predecessor may have left open.
 */
export function embeddedPool(pglite: PGlite, log: Log): Knex {
  return knex({
    client: 'pg',
    connection: () => createPgConfig(pglite) as unknown as Knex.PgConnectionConfig,
    pool: {
      min: 0,
      max: 1,
      afterCreate: (
        session: RawSession,
        done: (error: Error | null, session: RawSession) => void,
      ) => {
        session.query('rollback', (error) => done(error, session));
      },
    },
    acquireConnectionTimeout: ACQUIRE_TIMEOUT_MS,
    log: knexLog(log),
  });
}

export function serverPool(url: string, log: Log): Knex {
  return knex({
    client: 'pg',
    connection: {
      connectionString: url,
      application_name: 'mailserver',
      connectionTimeoutMillis: ACQUIRE_TIMEOUT_MS,
      keepAlive: true,
    },
    pool: { min: 0, max: SERVER_SESSIONS },
    acquireConnectionTimeout: ACQUIRE_TIMEOUT_MS,
    log: knexLog(log),
  });
}

/** Knex writes to the console of its own accord. */
function knexLog(log: Log): Knex.Logger {
  const text = (message: unknown) => (message instanceof Error ? message.message : String(message));
  return {
    debug: (message: unknown) => log.debug({}, text(message)),
    warn: (message: unknown) => log.warn({}, text(message)),
    error: (message: unknown) => log.error({}, text(message)),
    deprecate: (method: string, alternative: string) =>
      log.debug({ method, alternative }, 'knex: deprecated'),
  };
}
