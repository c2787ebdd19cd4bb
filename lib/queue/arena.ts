/** Columns that grow, and texts as bytes: what keeps a large queue small in memory. */

const FIRST_CAPACITY = 1024;
const FIRST_BYTES = 64 * 1024;
/** So many different texts are recognised when they come again; more are kept twice. */
const MAX_KNOWN_TEXTS = 20_000;

type NumberArray = Uint8Array | Uint32Array;

/** A typed array that grows by doubling. */
export class Column<Numbers extends NumberArray> {
  #values: Numbers;
  #length = 0;

  constructor(private readonly make: (length: number) => Numbers) {
    this.#values = make(FIRST_CAPACITY);
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const grown = this.make(this.#values.length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#length] = value;
    this.#length += 1;
  }

  at(index: number): number {
    return this.#values[index] ?? 0;
  }

  set(index: number, value: number): void {
    this.#values[index] = value;
  }

  /** Gives the room back that growing left over. */
  trim(): void {
    this.#values = this.#values.slice(0, Math.max(1, this.#length)) as Numbers;
  }
}

export const bytesColumn = (): Column<Uint8Array> => new Column((length) => new Uint8Array(length));
export const numbersColumn = (): Column<Uint32Array> =>
  new Column((length) => new Uint32Array(length));

/** Texts by number, kept as UTF-8 in one block of bytes. */
export class Texts {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #used = 0;
  readonly #ends = numbersColumn();
  #known = new Map<string, number>();

  /** `limit` is the most bytes all texts together may have; beyond it texts are kept as ''. */
  constructor(private readonly limit: number) {}

  get count(): number {
    return this.#ends.length;
  }

  /** True when a text was left out because of the limit. */
  overflowed = false;

  /** The number of the text; one that is known gets the number it had. */
  intern(text: string): number {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const number = this.add(text);
    if (this.#known.size < MAX_KNOWN_TEXTS) this.#known.set(text, number);
    return number;
  }

  /** The number of the text, without a look whether it is known. */
  add(text: string): number {
    let length = Buffer.byteLength(text);
    if (this.#used + length > this.limit) {
      length = 0;
      this.overflowed = true;
    }
    while (this.#used + length > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(this.#bytes.length * 2);
      this.#bytes.copy(grown, 0, 0, this.#used);
      this.#bytes = grown;
    }
    if (length > 0) this.#bytes.write(text, this.#used);
    this.#used += length;
    this.#ends.push(this.#used);
    return this.#ends.length - 1;
  }

  get(number: number): string {
    const start = number === 0 ? 0 : this.#ends.at(number - 1);
    return this.#bytes.toString('utf8', start, this.#ends.at(number));
  }

  /** Call when no more texts come: gives room back, and forgets which texts are known. */
  seal(): void {
    const exact = Buffer.allocUnsafeSlow(this.#used);
    this.#bytes.copy(exact, 0, 0, this.#used);
    this.#bytes = exact;
    this.#known = new Map();
    this.#ends.trim();
  }
}
