import { setTimeout as pause } from 'node:timers/promises';

/**
 * How long something may take that normally takes moments, in milliseconds: long, for a busy machine, and longer than
 * Postfix waits to look at its queue again (`queue_run_delay`).
 */
const LIMIT_MS = 420_000;
const LOOK_AGAIN_MS = 50;

/** Looks again and again until `look` gives something else than undefined, null or false. Rejects with `what` otherwise. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  limitMs = LIMIT_MS,
): Promise<Exclude<T, null | undefined | false>> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== null && seen !== false) {
      return seen as Exclude<T, null | undefined | false>;
    }
    if (Date.now() > deadline) throw new Error(`waited ${limitMs / 1000} s in vain: ${what}`);
    await pause(LOOK_AGAIN_MS);
  }
}
