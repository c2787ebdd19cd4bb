/** Work in the background that is done again and again: one round after the other, with a rest between, until it is closed. */

export interface Rounds {
  start(): void;
  /** There is something to do: the rest is over. */
  wake(): void;
  /** Waits within a round; shorter when it is woken, not at all when it ends. Milliseconds. */
  rest(ms: number): Promise<void>;
  /** Whether the round that is under way is the last one. */
  readonly closing: boolean;
  /** Resolves when the round that is under way has ended. */
  close(): Promise<void>;
}

/** `round` says how long to rest after it, in milliseconds, and never rejects. Nothing of it keeps the process alive. */
export function createRounds(
  round: () => Promise<number>,
  { firstAfterMs = 0 }: { readonly firstAfterMs?: number } = {},
): Rounds {
  let closing = false;
  let running: Promise<void> | null = null;
  let awake: (() => void) | null = null;

  const rest = (ms: number): Promise<void> => {
    if (closing || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        awake = null;
        resolve();
      };
      const timer = setTimeout(done, ms).unref();
      awake = done;
    });
  };
  const run = async (): Promise<void> => {
    await rest(firstAfterMs);
    while (!closing) await rest(await round());
  };

  return {
    start() {
      running ??= run();
    },
    wake: () => awake?.(),
    rest,
    get closing() {
      return closing;
    },
    async close() {
      closing = true;
      awake?.();
      await running;
    },
  };
}
