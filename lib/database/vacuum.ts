/** The embedded database has no autovacuum: what changes and sessions leave behind is cleared up now and then. */
import type { Knex } from 'knex';
import type { Log } from '../contract.js';

const FIRST_AFTER_MS = 10 * 60_000;
const EVERY_MS = 24 * 3_600_000;

export function vacuumNowAndThen(db: Knex, log: Log): { stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve();
  let timer = setTimeout(run, FIRST_AFTER_MS).unref();

  function run(): void {
    running = vacuum(db, log);
    timer = setTimeout(run, EVERY_MS).unref();
  }
  return {
    stop: () => {
      clearTimeout(timer);
      return running;
    },
  };
}

/** Blocks the process while it runs: 0.1 s for a few thousand rows. A failure is logged, and tried again the next day. */
export async function vacuum(db: Knex, log: Log): Promise<void> {
  const started = Date.now();
  try {
    await db.raw('vacuum (analyze)');
    log.debug({ ms: Date.now() - started }, 'embedded database vacuumed');
  } catch (error) {
    log.warn({ error }, 'the embedded database could not be vacuumed');
  }
}
