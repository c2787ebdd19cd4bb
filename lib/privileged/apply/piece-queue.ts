/** Pieces on their way from who makes them to the one who takes them, in order. */

/**
 * Holds back who makes the pieces of some queues while many of them wait: they would take memory, and work to keep it in
 * order. Not while somebody waits for a piece: it may be the next one that is made.
 */
export class Brake {
  #waiting = 0;
  #hungry = 0;
  #isOff = false;
  #wake: (() => void) | null = null;

  /** `most`: pieces that may wait in all queues together. */
  constructor(private readonly most: number) {}

  /** Resolves once another piece may be made. */
  async room(): Promise<void> {
    while (this.#waiting >= this.most && this.#hungry === 0 && !this.#isOff) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** For when nobody is going to take them. */
  release(): void {
    this.#isOff = true;
    this.#wake?.();
  }

  count(waiting: number, hungry: number): void {
    this.#waiting += waiting;
    this.#hungry += hungry;
    this.#wake?.();
  }
}

export class PieceQueue<Piece> implements AsyncIterable<Piece> {
  #waiting: Piece[] = [];
  #over = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(private readonly brake: Brake) {}

  push(piece: Piece): void {
    this.#waiting.push(piece);
    this.brake.count(1, 0);
    this.#wake?.();
  }

  /** There are no more. With a failure its reader throws that at once. */
  end(failure: Error | null = null): void {
    this.#over = true;
    this.#failure = failure;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Piece, void> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.brake.count(-1, 0);
        yield next;
      } else if (this.#over) {
        return;
      } else {
        this.brake.count(0, 1);
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.brake.count(0, -1);
      }
    }
  }
}
