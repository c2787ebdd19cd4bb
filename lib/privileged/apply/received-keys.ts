/**
 * The keys of entries that came: each may come once. The web side sends them in order, and as long as it does the last one
 * says that no other came before; only once one is out of order all of them are remembered.
 */
import { entriesOfLine, type PieceEntries } from './contents-source.js';

export class ReceivedKeys {
  count = 0;
  #last = '';
  /** Source texts with the keys that came in order. */
  #texts: Buffer[] = [];
  /** All keys, once one came out of order. */
  #all: Set<string> | null = null;

  /** Takes some more, with their source text. Gives the first key that came before; null when none did. */
  take(entries: PieceEntries, text: Buffer): string | null {
    this.count += entries.length;
    if (this.#all === null && this.#areInOrder(entries)) {
      this.#texts.push(text);
      return null;
    }
    this.#all ??= this.#remembered();
    for (const [key] of entries) {
      if (this.#all.has(key)) return key;
      this.#all.add(key);
    }
    return null;
  }

  #areInOrder(entries: PieceEntries): boolean {
    let last = this.#last;
    let first = this.#texts.length === 0;
    for (const [key] of entries) {
      if (!first && key <= last) return false;
      last = key;
      first = false;
    }
    this.#last = last;
    return true;
  }

  #remembered(): Set<string> {
    const keys = new Set<string>();
    for (const text of this.#texts) {
      for (const [key] of entriesOfLine(text.toString())) keys.add(key);
    }
    this.#texts = [];
    return keys;
  }
}
