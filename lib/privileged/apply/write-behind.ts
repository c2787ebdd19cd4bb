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
    const [pieces, bytes] = [this.#waiting, this.#bytes];
    [this.#waiting, this.#bytes] = [[], 0];
    this.#writing = this.#writing.then(() => this.#writeAll(pieces, bytes)).then(this.after);
    this.#writing.catch(() => undefined);
  }

  async #writeAll(pieces: readonly Buffer[], bytes: number): Promise<void> {
    const { bytesWritten } = await this.handle.writev(pieces);
    if (bytesWritten === bytes) return;
    // As much as went (write(2)): where there is no room for the rest, this says so.
    await this.handle.writeFile(Buffer.concat(pieces).subarray(bytesWritten));
  }
}
