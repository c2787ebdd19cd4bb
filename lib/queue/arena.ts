/** Columns that grow, and texts as bytes: what keeps a large queue small in memory. */

const FIRST_CAPACITY = 1024;
const FIRST_BYTES = 64 * 1024;
/** How much larger a block becomes that is too small. */
const GROWTH = 1.5;
/** So many different texts are recognised when they come again; more are kept twice. */
const MAX_KNOWN_TEXTS = 500_000;

type NumberArray = Uint8Array | Uint32Array;

/** What can be handed over in pieces: what came since the last one, to be put behind what the other side has. */
export interface Piecewise {
  /** The bytes that came since this was called before. */
  take(): Uint8Array;
  put(bytes: Uint8Array): void;
}

/** A typed array that grows by half. */
export class Column<Numbers extends NumberArray> implements Piecewise {
  #values: Numbers;
  #length = 0;
  #taken = 0;

  constructor(private readonly make: (length: number) => Numbers) {
    this.#values = make(FIRST_CAPACITY);
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) this.#reserve(1);
    this.#values[this.#length] = value;
    this.#length += 1;
  }

  at(index: number): number {
    return this.#values[index] ?? 0;
  }

  set(index: number, value: number): void {
    this.#values[index] = value;
  }

  take(): Uint8Array {
    const fresh = this.#values.subarray(this.#taken, this.#length);
    this.#taken = this.#length;
    return new Uint8Array(fresh.buffer, fresh.byteOffset, fresh.byteLength);
  }

  put(bytes: Uint8Array): void {
    const each = this.#values.BYTES_PER_ELEMENT;
    const count = bytes.length / each;
    this.#reserve(count);
    const { buffer, byteOffset } = this.#values;
    new Uint8Array(buffer, byteOffset + this.#length * each, bytes.length).set(bytes);
    this.#length += count;
  }

  /** Gives the room back that growing left over. */
  trim(): void {
    this.#values = this.#values.slice(0, Math.max(1, this.#length)) as Numbers;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#values.length) return;
    const grown = this.make(Math.max(needed, Math.ceil(this.#values.length * GROWTH)));
    grown.set(this.#values.subarray(0, this.#length));
    this.#values = grown;
  }
}

export const bytesColumn = (): Column<Uint8Array> => new Column((length) => new Uint8Array(length));
export const numbersColumn = (): Column<Uint32Array> =>
  new Column((length) => new Uint32Array(length));

/** Texts by number, kept as UTF-8 in one block of bytes. */
export class Texts {
  readonly #bytes = new ByteBlock();
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
    if (this.#bytes.length + length > this.limit) {
      length = 0;
      this.overflowed = true;
    }
    if (length > 0) this.#bytes.write(text, length);
    this.#ends.push(this.#bytes.length);
    return this.#ends.length - 1;
  }

  get(number: number): string {
    const start = number === 0 ? 0 : this.#ends.at(number - 1);
    return this.#bytes.read(start, this.#ends.at(number));
  }

  /** What is handed over of it. */
  get parts(): readonly Piecewise[] {
    return [this.#bytes, this.#ends];
  }

  /** Call when no more texts come: gives room back, and forgets which texts are known. */
  seal(): void {
    this.#known = new Map();
    this.#bytes.trim();
    this.#ends.trim();
  }
}

/** Bytes one after the other, in one block that grows by half. */
class ByteBlock implements Piecewise {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #length = 0;
  #taken = 0;

  get length(): number {
    return this.#length;
  }

  /** `length` is the text's in UTF-8. */
  write(text: string, length: number): void {
    this.#reserve(length);
    this.#bytes.write(text, this.#length);
    this.#length += length;
  }

  read(start: number, end: number): string {
    return this.#bytes.toString('utf8', start, end);
  }

  take(): Uint8Array {
    const fresh = this.#bytes.subarray(this.#taken, this.#length);
    this.#taken = this.#length;
    return fresh;
  }

  put(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  trim(): void {
    const exact = Buffer.allocUnsafeSlow(this.#length);
    this.#bytes.copy(exact, 0, 0, this.#length);
    this.#bytes = exact;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.ceil(this.#bytes.length * GROWTH)));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
