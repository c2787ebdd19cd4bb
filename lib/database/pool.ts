/** The Knex instances: one session for the embedded database, a small pool for a server. */
import { setImmediate as turn } from 'node:timers/promises';
import type { PGlite } from '@electric-sql/pglite';
import { createPgConfig } from '@electric-sql/pglite/node-postgres';
import knex, { type Knex } from 'knex';
import type { Log } from '../contract.js';

/** How long a query waits for a free session of a server, in milliseconds. */
const ACQUIRE_TIMEOUT_MS = 8_000;
/**
 * The same for the one session of the embedded database, which an import of 500,000 aliases holds for two minutes: a page
 * had better wait than fail. A `db()` inside a transaction runs into it.
 */
const ACQUIRE_ONLY_TIMEOUT_MS = 180_000;

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
    connection: () =>
      createPgConfig(givingWay(pglite) as PGlite) as unknown as Knex.PgConnectionConfig,
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
    acquireConnectionTimeout: ACQUIRE_ONLY_TIMEOUT_MS,
    log: knexLog(log),
  });
}

/** How long queries may follow each other before others get a turn, in milliseconds. */
const TURN_AFTER_MS = 10;
/** First byte of the messages that begin a query (Parse and Query). Between those of one query nothing may come. */
const BEGINS: readonly (number | undefined)[] = [0x50, 0x51];

/**
 * PGlite answers without the event loop coming round: thousands of queries in one transaction would stop every timer and
 * every page until the last, and the watchdog would take the database for hung. So now and then a query waits for a turn.
 */
function givingWay(pglite: PGlite): Pick<PGlite, 'waitReady' | 'execProtocolStream'> {
  let since = performance.now();
  return {
    waitReady: pglite.waitReady,
    execProtocolStream: async (message, options) => {
      if (BEGINS.includes(message[0]) && performance.now() - since > TURN_AFTER_MS) {
        await turn();
        since = performance.now();
      }
      return pglite.execProtocolStream(message, options);
    },
  };
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
    pool: {
      min: 0,
      max: SERVER_SESSIONS,
      // Our queries are short, and compiling one takes a server 200 ms: what the planner expects of a recursive one is too much.
      afterCreate: (
        session: RawSession,
        done: (error: Error | null, session: RawSession) => void,
      ) => {
        session.query('set jit = off', (error) => done(error, session));
      },
    },
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
