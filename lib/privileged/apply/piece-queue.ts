/** Pieces on their way from who makes them to the one who takes them, in order. */

export class PieceQueue<Piece> implements AsyncIterable<Piece> {
  #waiting: Piece[] = [];
  #over = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  push(piece: Piece): void {
    this.#waiting.push(piece);
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
      if (next !== undefined) yield next;
      else if (this.#over) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
