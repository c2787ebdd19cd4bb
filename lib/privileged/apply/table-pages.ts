/**
 * What a table file holds, read from its pages: `postmap -s` takes two locks for every entry, which is longer than the
 * building. The file is one that nobody writes to meanwhile. Its format is LMDB's data version 1 (mdb.c: MDB_meta,
 * MDB_page, MDB_node), as machines with 64 bits and the low byte first write it.
 */
import { open, type FileHandle } from 'node:fs/promises';

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 1;
/** The two headers are the first two pages, and no page is larger than 64 KiB. */
const HEADERS_BYTES = 128 * 1024;
/** Bytes before the contents of a page, and before the key of a node. */
const PAGE_HEADER = 16;
const NODE_HEADER = 8;
/** Kinds of pages (P_BRANCH, P_LEAF) and of values: one that is too large for its page lies on pages of its own (F_BIGDATA). */
const BRANCH = 0x01;
const LEAF = 0x02;
const ON_OWN_PAGES = 0x01;

const TAB = 9;
const NEWLINE = 10;

/**
 * Whether the table holds exactly these lines, `key TAB value NEWLINE` in the order of their keys' bytes, and a search
 * from its root comes to each of them. True is certain; false also says that the pages are not as this knows them.
 * `count`: how many lines these are, where that is known; a table with another number of entries is not read.
 */
export async function holdsExactly(
  file: string,
  lines: Buffer,
  count: number | null = null,
): Promise<boolean> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.allocUnsafeSlow(size);
    const reader = new PageReader(bytes, lines);
    let read = 0;
    if (count !== null) {
      read = await fill(handle, bytes, 0, Math.min(size, HEADERS_BYTES));
      if (reader.entries() !== count) return false;
    }
    return (await fill(handle, bytes, read, size)) === size && reader.agrees();
  } catch (error) {
    // Of an offset that leads out of the file.
    if (error instanceof RangeError) return false;
    throw error;
  } finally {
    await handle.close();
  }
}

/** Reads what stands there in the file. Gives how far it came. */
async function fill(handle: FileHandle, bytes: Buffer, from: number, to: number): Promise<number> {
  let at = from;
  while (at < to) {
    const { bytesRead } = await handle.read(bytes, at, to - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
}

interface Root {
  readonly page: number;
  /** Levels of pages. */
  readonly depth: number;
  readonly entries: number;
}

/** Where a key begins and ends in the file. */
type Place = readonly [from: number, to: number];

class PageReader {
  /** How far the lines were found, in bytes, and how many of them. */
  #at = 0;
  #found = 0;
  #pageSize = 0;
  /** Where the last entry begins. */
  #lastNode = 0;

  readonly #numbers: DataView;
  readonly #lines: DataView;

  constructor(
    private readonly bytes: Buffer,
    private readonly lines: Buffer,
  ) {
    this.#numbers = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#lines = new DataView(lines.buffer, lines.byteOffset, lines.byteLength);
  }

  /** How many the headers say; null where they are none. */
  entries(): number | null {
    return this.#root()?.entries ?? null;
  }

  agrees(): boolean {
    const root = this.#root();
    if (root === null) return false;
    if (root.entries > 0 && !this.#pageAgrees(root.page, root.depth, null)) return false;
    return this.#at === this.lines.length && this.#found === root.entries;
  }

  /** Of the two headers the one that was written last counts. */
  #root(): Root | null {
    const first = this.#header(0);
    if (first === null) return null;
    this.#pageSize = first.pageSize;
    const second = this.#header(first.pageSize);
    if (second === null || second.pageSize !== first.pageSize) return null;
    return second.transaction > first.transaction ? second : first;
  }

  #header(page: number) {
    const at = page + PAGE_HEADER;
    const main = at + 72;
    if (this.#long(at) !== MAGIC) return null;
    if (this.#long(at + 4) !== DATA_VERSION) return null;
    return {
      pageSize: this.#long(at + 24),
      depth: this.#short(main + 6),
      entries: this.#number(main + 32),
      page: this.#number(main + 40),
      transaction: this.#number(main + 56),
    };
  }

  #short(at: number): number {
    return this.#numbers.getUint16(at, true);
  }

  #long(at: number): number {
    return this.#numbers.getUint32(at, true);
  }

  #number(at: number): number {
    return Number(this.#numbers.getBigUint64(at, true));
  }

  /** `least`: the key that led here, which none of the page may be below. */
  #pageAgrees(page: number, depth: number, least: Place | null): boolean {
    const start = page * this.#pageSize;
    const kind = this.#short(start + 10);
    if (kind !== (depth > 1 ? BRANCH : LEAF)) return false;
    const nodes = (this.#short(start + 12) - PAGE_HEADER) / 2;
    for (let index = 0; index < nodes; index += 1) {
      const node = start + this.#short(start + PAGE_HEADER + 2 * index);
      const agrees =
        depth > 1
          ? this.#branchAgrees(node, depth, index === 0 ? null : this.#keyOf(node), least)
          : this.#entryAgrees(node, index === 0 ? least : null);
      if (!agrees) return false;
    }
    return nodes > 0;
  }

  /** The first branch of a page has no key of its own: it takes all that comes before the second. */
  #branchAgrees(node: number, depth: number, key: Place | null, least: Place | null): boolean {
    if (key !== null && !this.#isAbove(key, this.#keyOf(this.#lastNode))) return false;
    const page = this.#long(node) + this.#short(node + 4) * 2 ** 32;
    return this.#pageAgrees(page, depth - 1, key ?? least);
  }

  #keyOf(node: number): Place {
    const key = node + NODE_HEADER;
    return [key, key + this.#short(node + 6)];
  }

  /** Whether one key comes after another. */
  #isAbove(key: Place, other: Place): boolean {
    return this.bytes.compare(this.bytes, other[0], other[1], key[0], key[1]) > 0;
  }

  /** Whether the next line is this entry. Postfix ends keys and values with a zero byte, or not (dict_lmdb.c). */
  #entryAgrees(node: number, least: Place | null): boolean {
    const { bytes, lines } = this;
    const key = node + NODE_HEADER;
    const keyEnd = key + this.#short(node + 6);
    const flags = this.#short(node + 4);
    if (flags !== 0 && flags !== ON_OWN_PAGES) return false;
    const value = flags === 0 ? keyEnd : this.#number(keyEnd) * this.#pageSize + PAGE_HEADER;
    const valueEnd = value + this.#long(node);
    const keyText = bytes[keyEnd - 1] === 0 ? keyEnd - 1 : keyEnd;
    const valueText = bytes[valueEnd - 1] === 0 ? valueEnd - 1 : valueEnd;
    const tab = this.#at + keyText - key;
    const end = tab + 1 + valueText - value;
    if (lines[tab] !== TAB || lines[end] !== NEWLINE) return false;
    if (!areSame(this.#numbers, key, this.#lines, this.#at, keyText - key)) return false;
    if (!areSame(this.#numbers, value, this.#lines, tab + 1, valueText - value)) return false;
    this.#lastNode = node;
    if (least !== null && this.#isAbove(least, this.#keyOf(node))) return false;
    this.#at = end + 1;
    this.#found += 1;
    return true;
  }
}

/** A loop, by four bytes: for pieces as short as these a call of `compare` takes longer than its work. */
function areSame(a: DataView, from: number, b: DataView, at: number, length: number): boolean {
  let index = 0;
  for (; index + 4 <= length; index += 4) {
    if (a.getUint32(from + index) !== b.getUint32(at + index)) return false;
  }
  for (; index < length; index += 1) {
    if (a.getUint8(from + index) !== b.getUint8(at + index)) return false;
  }
  return true;
}
