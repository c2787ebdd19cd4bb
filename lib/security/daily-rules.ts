/**
 * Newer rules for spam every day, through the appliance's proxy, as freshclam does it for signatures: Debian brings an update
 * of its own that is switched off.
 */
import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import type { Helper } from '../client/helper.js';
import type { Log } from '../contract.js';
import { keepLease, releaseLease, takeLease } from '../database/lease.js';
import { HelperError } from '../errors.js';

const HOUR_MS = 60 * 60 * 1000;
/** How long after a start it is looked first, in milliseconds: there is more urgent work then. */
const FIRST_LOOK_MS = 10 * 60 * 1000;
/** And from then on; what failed is tried again then. In milliseconds. */
const LOOK_EVERY_MS = 6 * HOUR_MS;
/** Rules that are younger, or were asked for after, are new enough, in milliseconds: a little less than a day. */
const NEW_ENOUGH_MS = 22 * HOUR_MS;
const LEASE = 'daily-rules';

export interface DailyRules {
  start(): void;
  /** Fetches them when it is time. Never throws: it is tried again by itself. */
  look(): Promise<void>;
  close(): Promise<void>;
}

export function createDailyRules({
  db,
  helper,
  proxy,
  log,
  now = Date.now,
}: {
  readonly db: Knex;
  readonly helper: Helper | null;
  readonly proxy: () => Promise<string | null>;
  readonly log: Log;
  readonly now?: () => number;
}): DailyRules {
  const holder = randomUUID();
  const abort = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  /** When the makers' servers last said what there is. */
  let askedAt = 0;
  let looking: Promise<void> | null = null;

  const fetch = async (of: Helper): Promise<void> => {
    const options = { actor: 'system', signal: abort.signal };
    const { settings, spamassassin } = await of.call('security-status', {}, options);
    const { installed, rules } = spamassassin;
    const newest = Math.max(askedAt, rules === null ? 0 : new Date(rules.at).getTime());
    if (!settings?.spam || !installed || now() - newest < NEW_ENOUGH_MS) return;
    const what = { what: 'rules', proxy: await proxy() } as const;
    const { done } = await of.call('security-update', what, options);
    askedAt = now();
    if (done[0] === 'rules') log.info({}, 'newer rules for spam were fetched');
  };

  const look = async (): Promise<void> => {
    let giveUp = (): void => undefined;
    try {
      if (helper === null || !(await takeLease(db, LEASE, holder))) return;
      giveUp = keepLease(db, LEASE, holder, log);
      await fetch(helper);
    } catch (error) {
      // A lab has the rules of its machine, and says so.
      const lab = error instanceof HelperError && error.key === 'helper.security.machineRules';
      if (!lab && !abort.signal.aborted) log.warn({ err: error }, 'no newer rules for spam');
    } finally {
      giveUp();
      await releaseLease(db, LEASE, holder).catch(() => undefined);
    }
  };

  const once = (): Promise<void> => {
    looking ??= look().finally(() => (looking = null));
    return looking;
  };

  return {
    look: once,
    start() {
      if (helper === null) return;
      timers.push(
        setTimeout(() => void once(), FIRST_LOOK_MS),
        setInterval(() => void once(), LOOK_EVERY_MS),
      );
      for (const timer of timers) timer.unref();
    },
    async close() {
      for (const timer of timers) clearInterval(timer);
      abort.abort();
      await looking;
    },
  };
}
