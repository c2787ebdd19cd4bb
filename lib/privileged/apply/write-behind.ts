/** Small pieces written to a file or a pipe in the background, as few large ones: each write has to wake a thread. */
import type { FileHandle } from 'node:fs/promises';

export class WriteBehind {
  #waiting: Buffer[] = [];
  #bytes = 0;
  #writing = Promise.resolve();

  /** `atOnce`: bytes of one write. `after` is called behind each. */
  constructor(
    private readonly handle: FileHandle,
    private readonly atOnce: number,
    private readonly after?: () => Promise<void>,
  ) {}

  /** What goes wrong says `flush`, and nothing is written after it. */
  write(piece: Buffer): void {
    this.#waiting.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes >= this.atOnce) this.#pass();
  }

  /** Resolves once all is written. */
  async flush(): Promise<void> {
    if (this.#bytes > 0) this.#pass();
    await this.#writing;
  }

  #pass(): void {
    const text = this.#waiting.length === 1 ? this.#waiting[0] : Buffer.concat(this.#waiting);
    [this.#waiting, this.#bytes] = [[], 0];
    if (text === undefined) return;
    this.#writing = this.#writing.then(() => this.handle.writeFile(text)).then(this.after);
    this.#writing.catch(() => undefined);
  }
}
