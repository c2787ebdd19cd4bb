/** A lease that knows by this process' own clock how long it surely lasts: one that was stopped and woken up has lost it. */
import type { Knex } from 'knex';
import { LEASE_SECONDS, releaseLease, takeLease } from '../database/lease.js';

const RENEW_EVERY_MS = 5_000;
/** It is given up in time, before another process may take it. */
const MARGIN_MS = 5_000;

export interface HeldLease {
  /** Takes it when nobody else has it, and keeps it. */
  take(): Promise<boolean>;
  /** Whether it surely is ours at this moment. */
  sure(): boolean;
  release(): Promise<void>;
}

export function createHeldLease(db: Knex, name: string, holder: string): HeldLease {
  let until = -Infinity;
  let timer: NodeJS.Timeout | undefined;

  const renew = async (): Promise<boolean> => {
    const asked = performance.now();
    const held = await takeLease(db, name, holder);
    until = held ? asked + LEASE_SECONDS * 1000 - MARGIN_MS : -Infinity;
    return held;
  };
  const sure = (): boolean => performance.now() < until;

  return {
    async take() {
      if (sure() && timer !== undefined) return true;
      const held = await renew();
      clearInterval(timer);
      timer = undefined;
      if (held) {
        timer = setInterval(() => void renew().catch(() => undefined), RENEW_EVERY_MS);
        timer.unref();
      }
      return held;
    },
    sure,
    async release() {
      if (timer === undefined) return;
      clearInterval(timer);
      timer = undefined;
      until = -Infinity;
      await releaseLease(db, name, holder);
    },
  };
}
