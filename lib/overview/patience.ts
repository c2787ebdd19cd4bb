/** One limit for everything that a page asks for: what has not come by then is done without, and named. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Patience {
  /** What was asked for, or `otherwise` once the limit is over. Rejects as what was asked for does. */
  readonly within: <T>(name: string, asked: Promise<T>, otherwise: T) => Promise<T>;
  /** What was done without so far. */
  readonly missed: ReadonlySet<string>;
}

/** It begins to count at once. */
export function createPatience(limitMs: number): Patience {
  const missed = new Set<string>();
  const over = sleep(limitMs, null, { ref: false });
  return {
    missed,
    async within<T>(name: string, asked: Promise<T>, otherwise: T): Promise<T> {
      const answer = await Promise.race([asked.then((value) => ({ value })), over]);
      if (answer !== null) return answer.value;
      missed.add(name);
      return otherwise;
    },
  };
}
