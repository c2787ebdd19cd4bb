/** Small pieces written to a file or a pipe in the background, as few large ones: each write has to wake a thread. */
import type { FileHandle } from 'node:fs/promises';

export class WriteBehind {
  #waiting: Buffer[] = [];
  #bytes = 0;
  #isWriting = false;
  #writing = Promise.resolve();

  /** `atOnce`: bytes one write has at least; all that came during the one before go together. `after` follows each. */
  constructor(
    private readonly handle: FileHandle,
    private readonly atOnce: number,
    private readonly after?: () => Promise<void>,
  ) {}

  /** What goes wrong says `flush`, and nothing is written after it. */
  write(piece: Buffer): void {
    this.#waiting.push(piece);
    this.#bytes += piece.length;
    if (this.#isWriting || this.#bytes < this.atOnce) return;
    this.#isWriting = true;
    this.#writing = this.#writeMany();
    this.#writing.catch(() => undefined);
  }

  /** Resolves once all is written. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#bytes > 0) await this.#writeWaiting();
  }

  async #writeMany(): Promise<void> {
    while (this.#bytes >= this.atOnce) {
      await this.#writeWaiting();
      await this.after?.();
    }
    this.#isWriting = false;
  }

  async #writeWaiting(): Promise<void> {
    const [pieces, bytes] = [this.#waiting, this.#bytes];
    [this.#waiting, this.#bytes] = [[], 0];
    const { bytesWritten } = await this.handle.writev(pieces);
    if (bytesWritten === bytes) return;
    // As much as went (write(2)): where there is no room for the rest, this says so.
    await this.handle.writeFile(Buffer.concat(pieces).subarray(bytesWritten));
  }
}
