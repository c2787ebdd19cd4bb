/** Pages that do not wait for the helper: they show what it said a moment ago, while what is new is on its way. */
import { setTimeout as sleep } from 'node:timers/promises';

/** So old may be what is shown meanwhile, in milliseconds. */
export const KEPT_MS = 120_000;
/** How long a page waits for what is new all the same, in milliseconds: a helper that is away says so at once. */
const PATIENCE_MS = 15;

/** The answer where it comes at once, else the last one. */
export function lately<T>(asked: Promise<T>, last: T): Promise<T> {
  return Promise.race([asked, sleep(PATIENCE_MS, last)]);
}
