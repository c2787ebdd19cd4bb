/** The line in front of the helper within this process: one at a time, first come first served. */

export class WaitedTooLong extends Error {
  override readonly name = 'WaitedTooLong';
}

export interface Line {
  /** Runs `work` when everyone before is done. Rejects with `WaitedTooLong` when its turn does not come in time. */
  run<T>(work: () => Promise<T>, limitMs: number): Promise<T>;
  /** Resolves when nobody is in the line. */
  idle(): Promise<void>;
}

export function createLine(): Line {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run: (work, limitMs) => {
      const before = last;
      const turn = new Promise<void>((resolve, reject) => {
        const limit = setTimeout(() => reject(new WaitedTooLong()), limitMs);
        void before.then(() => {
          clearTimeout(limit);
          resolve();
        });
      });
      const done = turn.then(work);
      // Who gave up waiting must not let the next one overtake those still before it.
      last = Promise.allSettled([before, done]);
      return done;
    },
    idle: async () => {
      await last;
    },
  };
}
