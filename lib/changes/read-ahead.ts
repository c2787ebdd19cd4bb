/** Pages that are read before they are asked for, while whoever takes them still has something else to do. */
import { setImmediate as everythingElse } from 'node:timers/promises';

/**
 * The same pages in the same order. At most so many are read and not taken; a fault comes in its place. Who takes no more
 * of them stops the reading.
 */
export async function* readAhead<Page>(
  pages: AsyncIterable<Page>,
  most: number,
): AsyncGenerator<Page, void> {
  const iterator = pages[Symbol.asyncIterator]();
  const waiting: Promise<IteratorResult<Page>>[] = [];
  let last: Promise<unknown> = Promise.resolve();
  let over = false;
  const read = async (before: Promise<unknown>): Promise<IteratorResult<Page>> => {
    await before;
    // The embedded database lets nothing else happen while it reads.
    await everythingElse();
    return over ? { done: true, value: undefined } : iterator.next();
  };
  const ask = (): void => {
    const next = read(last);
    last = next.catch(() => (over = true));
    waiting.push(next);
  };
  try {
    for (;;) {
      while (waiting.length < most) ask();
      const next = await waiting.shift();
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  } finally {
    over = true;
    await last;
    await iterator.return?.();
  }
}
