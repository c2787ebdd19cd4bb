/**
 * What a table file holds, read from its pages: `postmap -s` takes two locks for every entry, which is longer than the
 * building. The file is one that nobody writes to meanwhile. Its format is LMDB's data version 1 (mdb.c: MDB_meta,
 * MDB_page, MDB_node), as machines with 64 bits and the low byte first write it.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { setImmediate as everythingElse } from 'node:timers/promises';

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 1;
/** The two headers are the first two pages, and no page is larger than 64 KiB. */
const HEADERS_BYTES = 128 * 1024;
/** What the system gives at a time, which is what a page of LMDB has. */
const LEAST_PAGE = 4096;
/** Bytes before the contents of a page, and before the key of a node. */
const PAGE_HEADER = 16;
const NODE_HEADER = 8;
/** Kinds of pages (P_BRANCH, P_LEAF) and of values: one that is too large for its page lies on pages of its own (F_BIGDATA). */
const BRANCH = 0x01;
const LEAF = 0x02;
const ON_OWN_PAGES = 0x01;

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

  constructor(
    private readonly bytes: Buffer,
    private readonly lines: Buffer,
  ) {
    this.#numbers = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
    const nodes = nodesOf(this.#numbers, start);
    if (nodes <= 0 || this.#short(start + 10) !== (depth > 1 ? BRANCH : LEAF)) return false;
    const nodeAt = (index: number): number => start + this.#short(start + PAGE_HEADER + 2 * index);
    if (depth === 1) {
      if (least !== null && this.#isAbove(least, this.#keyOf(nodeAt(0)))) return false;
      this.#lastNode = nodeAt(nodes - 1);
      return this.#leafAgrees(start, nodes);
    }
    for (let index = 0; index < nodes; index += 1) {
      const node = nodeAt(index);
      const key = index === 0 ? null : this.#keyOf(node);
      if (!this.#branchAgrees(node, depth, key, least)) return false;
    }
    return true;
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

  /** Whether the next lines are these entries. */
  #leafAgrees(start: number, nodes: number): boolean {
    const text = textOfLeaf(this.bytes, this.#numbers, start, this.#pageSize);
    if (text === null) return false;
    const end = this.#at + text.length;
    if (this.lines.toString('latin1', this.#at, end) !== text) return false;
    this.#at = end;
    this.#found += nodes;
    return true;
  }
}

function nodesOf(numbers: DataView, start: number): number {
  return (numbers.getUint16(start + 12, true) - PAGE_HEADER) / 2;
}

/**
 * The entries of a leaf as lines, each character a byte; null where one is of a kind that no table of Postfix has. It ends
 * keys and values with a zero byte, or not (dict_lmdb.c). Strings are put together and compared by what is compiled already.
 */
function textOfLeaf(
  bytes: Buffer,
  numbers: DataView,
  start: number,
  pageSize: number,
): string | null {
  const page = bytes.toString('latin1', start, start + pageSize);
  const nodes = nodesOf(numbers, start);
  let text = '';
  for (let index = 0; index < nodes; index += 1) {
    const node = numbers.getUint16(start + PAGE_HEADER + 2 * index, true);
    const flags = numbers.getUint16(start + node + 4, true);
    const key = node + NODE_HEADER;
    const keyEnd = key + numbers.getUint16(start + node + 6, true);
    const length = numbers.getUint32(start + node, true);
    text += `${page.slice(key, endOfText(bytes, start, keyEnd))}\t`;
    if (flags === 0) {
      text += `${page.slice(keyEnd, endOfText(bytes, start, keyEnd + length))}\n`;
    } else if (flags === ON_OWN_PAGES) {
      const value = Number(numbers.getBigUint64(start + keyEnd, true)) * pageSize + PAGE_HEADER;
      text += `${bytes.toString('latin1', value, endOfText(bytes, value, length) + value)}\n`;
    } else {
      return null;
    }
  }
  return text;
}

function endOfText(bytes: Buffer, start: number, end: number): number {
  return bytes[start + end - 1] === 0 ? end - 1 : end;
}

/** Bytes of a table that `rehearse` reads, and how often at most: more do not make it quicker. */
const REHEARSED_BYTES = 64 * 1024;
const MOST_READINGS = 20;

/**
 * Reads some pages of a table again and again until `waiting` ends. The first ten thousand entries are read by code that is
 * not compiled yet, which takes as long as all the others: while `postmap` is waited for, there is time for them.
 */
export async function rehearse(file: string, waiting: Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  waiting.then(over, over);
  const handle = await open(file);
  try {
    const bytes = Buffer.alloc(REHEARSED_BYTES);
    const read = await fill(handle, bytes, 0, bytes.length);
    const numbers = new DataView(bytes.buffer, bytes.byteOffset, read);
    for (let reading = 0; reading < MOST_READINGS && !isOver; reading += 1) {
      for (let start = 0; start + LEAST_PAGE <= read; start += LEAST_PAGE) {
        if (numbers.getUint16(start + 10, true) === LEAF)
          textOfLeaf(bytes, numbers, start, LEAST_PAGE);
      }
      await everythingElse();
    }
  } catch (error) {
    // Pages of another size.
    if (!(error instanceof RangeError)) throw error;
  } finally {
    await handle.close();
  }
}
