/**
 * A table that is built while its lines still come. `postmap` reads them from a pipe and puts them in order itself, so
 * that after the last line little is left to do but to read back what it made.
 */
import {
  constants,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { chmod, copyFile, open, type FileHandle } from 'node:fs/promises';
import { hasCode, statusOf, syncFile } from '../files.js';
import { CLEAN_ENVIRONMENT, runNative, type NativeResult } from '../native.js';
import type { Paths } from '../paths.js';
import { BACKDATE_S } from './stage.js';
import { holdsExactly, rehearse } from './table-pages.js';
import {
  buildTable,
  holdsText,
  makeBuildFolder,
  POSTMAP,
  refusedTable,
  sortLines,
  tableFile,
  tableKey,
  tableMap,
  tableValue,
} from './tables.js';
import { WriteBehind } from './write-behind.js';

/**
 * From so many bytes on a table is built while the rest comes. More than a pipe holds (64 KiB, pipe(7)): once they are
 * written `postmap` has opened it, and its end is seen.
 */
const STREAMED_BYTES = 256 * 1024;
/**
 * Room for a table, in bytes of address space. Where the room of `lmdb_map_size` ends `postmap` begins anew with twice
 * as much (lmdb_table(5)), which a pipe cannot.
 */
const MAP_BYTES = 1024 * 1024 * 1024;
/**
 * `postmap` keeps the pages of the new table until its end, and would ask for the memory and give it back in 2,000 small
 * pieces (mallopt(3)).
 */
const ENVIRONMENT = {
  ...CLEAN_ENVIRONMENT,
  MALLOC_TOP_PAD_: `${16 * 1024 * 1024}`,
  MALLOC_TRIM_THRESHOLD_: `${MAP_BYTES}`,
};
/** So many bytes are written to the pipe at a time: more than it holds, but each writing has to wake a thread. */
const PASSED_BYTES = 256 * 1024;
/** From so many entries on their reading back is rehearsed. */
const REHEARSED_COUNT = 10_000;
/**
 * Room for the text of a large table, in bytes: 100,000 aliases. Memory that nothing is written into is none, but what is
 * asked for in many growing pieces is reason enough for Node to look through all of it.
 */
const LARGE_TEXT_BYTES = 16 * 1024 * 1024;
/** Bytes of UTF-8 that one code unit of a string takes at most. */
const MOST_OF_UNIT = 3;
/** How long the lines may take to come, in milliseconds: as long as the whole request. */
const STREAM_TIMEOUT_MS = 600_000;

export interface BuiltTable {
  readonly built: string;
  /** A copy of the table that is in its place, where it is made already. */
  readonly copy?: string;
}

export class TableBuild {
  readonly #lines = new TextBuffer();
  #count = 0;
  /** Lines that are not passed on yet. */
  #text = '';
  #last = '';
  #ordered = true;
  #stream: Promise<StreamedPostmap | null> | null = null;
  #copying: Promise<string | null> | null = null;
  #isOver = false;

  constructor(
    private readonly name: string,
    private readonly paths: Paths,
  ) {}

  /** Starts `postmap`, where it is known that there will be many lines. */
  begin(): void {
    if (this.#stream || this.#isOver) return;
    this.#stream = StreamedPostmap.start(this.name, this.paths);
    this.#stream.catch(() => undefined);
    this.#pass(this.#lines.all());
  }

  /** Throws for an entry that `postmap` would read as something else. */
  add(key: string, value: string): void {
    const asWritten = tableKey(this.name, key);
    this.#ordered &&= this.#last < asWritten;
    this.#last = asWritten;
    this.#count += 1;
    this.#text += `${asWritten}\t${tableValue(this.name, value)}\n`;
  }

  /** Passes on what was added. */
  flush(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    const chunk = this.#lines.append(text);
    // Of all characters only those of two code units come in another order than their bytes.
    this.#ordered &&= chunk.length === text.length || !/[\ud800-\udfff]/.test(text);
    if (this.#stream) this.#pass(chunk);
    else if (this.#lines.bytes >= STREAMED_BYTES) this.begin();
  }

  /** The new file, read back; null when the table in its place holds the same. Throws at stage `stage`. */
  async finish(mayBeSame: boolean): Promise<BuiltTable | null> {
    const made = this.#end();
    made.catch(() => undefined);
    // The disk has little to do while the tables are read.
    this.#copying = this.#stream && copyBeside(this.name, this.#stream, this.paths);
    this.#copying?.catch(() => undefined);
    const lines = this.#inOrder();
    const there = tableFile(this.paths, this.name);
    const same =
      mayBeSame &&
      (await statusOf(there)) !== null &&
      (await holdsExactly(there, lines, this.#count));
    if (this.#stream && this.#count > REHEARSED_COUNT) {
      await rehearse(there, made).catch(() => null);
    }
    const streamed = await made;
    if (!same && streamed !== null && !(await holdsText(streamed, lines, this.paths))) {
      throw refusedTable(this.name, '');
    }
    const copy = await this.#copying;
    if (same) return null;
    if (streamed !== null) return { built: streamed, ...(copy ? { copy } : {}) };
    return { built: await buildTable(this.name, lines, false, this.paths) };
  }

  /** Ends what was begun: nothing of it is still being made when the folder is removed. */
  async abandon(): Promise<void> {
    this.#isOver = true;
    const stream = await this.#stream?.catch(() => null);
    await stream?.stop();
    await this.#copying?.catch(() => undefined);
  }

  /** What `postmap` made of all lines; null where it has not opened the pipe for sure, and was ended. */
  async #end(): Promise<string | null> {
    if (this.#lines.bytes < STREAMED_BYTES) {
      await this.abandon();
      return null;
    }
    this.#isOver = true;
    const stream = await this.#stream;
    return (await stream?.end()) ?? null;
  }

  /** All lines in the order of their keys' bytes. */
  #inOrder(): Buffer {
    const all = this.#lines.all();
    if (this.#ordered) return all;
    const lines = all.toString().split('\n').slice(0, -1);
    return Buffer.from(sortLines(lines.map((line) => `${line}\n`)));
  }

  #pass(chunk: Buffer): void {
    if (chunk.length === 0) return;
    void this.#stream?.then((stream) => stream?.write(chunk)).catch(() => undefined);
  }
}

/** A text in UTF-8 that grows, in one piece. */
class TextBuffer {
  #buffer = Buffer.alloc(0);
  bytes = 0;

  /** Gives what was added. */
  append(text: string): Buffer {
    const most = this.bytes + MOST_OF_UNIT * text.length;
    if (most > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * most, LARGE_TEXT_BYTES));
      this.#buffer.copy(larger, 0, 0, this.bytes);
      this.#buffer = larger;
    }
    const end = this.bytes + this.#buffer.write(text, this.bytes);
    const added = this.#buffer.subarray(this.bytes, end);
    this.bytes = end;
    return added;
  }

  all(): Buffer {
    return this.#buffer.subarray(0, this.bytes);
  }
}

/** Beside the new table, on disk; null where there is none to copy, or none is built beside it. */
async function copyBeside(
  name: string,
  streaming: Promise<StreamedPostmap | null>,
  paths: Paths,
): Promise<string | null> {
  const stream = await streaming;
  if (stream === null) return null;
  const copy = stream.file.replace(/\.lmdb$/, '.old.lmdb');
  try {
    await copyFile(tableFile(paths, name), copy, constants.COPYFILE_FICLONE);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
  await syncFile(copy);
  return copy;
}

/** A `postmap` that reads from a named pipe. */
class StreamedPostmap {
  readonly #behind: WriteBehind;

  private constructor(
    private readonly name: string,
    readonly file: string,
    private readonly pipe: FileHandle,
    /** Holds the pipe open until `postmap` does, and no longer than it runs: then who writes is told. */
    private readonly keeper: FileHandle,
    private readonly running: Promise<NativeResult>,
    private readonly killer: AbortController,
  ) {
    this.#behind = new WriteBehind(pipe, PASSED_BYTES);
  }

  /** In a folder of its own. Null where the administrator has set the room for tables: then it is built at the end. */
  static async start(name: string, paths: Paths): Promise<StreamedPostmap | null> {
    const folder = await makeBuildFolder(paths);
    const [source, config] = [`${folder}/${name}`, `${folder}/.config`];
    if (!makeRoomyConfig(config, paths)) return null;
    const fifo = await runNative('/usr/bin/mkfifo', ['-m', '600', source]);
    if (fifo.code !== 0) throw refusedTable(name, fifo.stderr);
    const file = `${source}.lmdb`;
    const keeper = await open(source, constants.O_RDWR);
    const pipe = await open(source, constants.O_WRONLY);
    // A pipe that we are killed before it opens keeps it waiting: we cannot end it then.
    const seconds = String((2 * STREAM_TIMEOUT_MS) / 1000);
    const postmap = [POSTMAP, '-c', config, tableMap(file)];
    const killer = new AbortController();
    const running = runNative('/usr/bin/timeout', [seconds, ...postmap], {
      timeoutMs: STREAM_TIMEOUT_MS,
      environment: ENVIRONMENT,
      signal: killer.signal,
    }).finally(() => keeper.close());
    running.catch(() => undefined);
    return new StreamedPostmap(name, file, pipe, keeper, running, killer);
  }

  /** Goes on in the background. What goes wrong says `end`. */
  write(chunk: Buffer): void {
    this.#behind.write(chunk);
  }

  /** The table, not yet read back. Throws at stage `stage`. */
  async end(): Promise<string> {
    const [written] = await Promise.allSettled([this.#behind.flush()]);
    await this.pipe.close();
    await this.keeper.close();
    const { code, stderr } = await this.running;
    if (code !== 0 || stderr !== '' || written.status === 'rejected') {
      throw refusedTable(this.name, stderr);
    }
    await chmod(this.file, 0o644);
    return this.file;
  }

  /** Ends it; nothing when it has ended. */
  async stop(): Promise<void> {
    this.killer.abort();
    await this.running.catch(() => undefined);
    await this.#behind.flush().catch(() => undefined);
    await this.pipe.close();
  }
}

/**
 * What `postmap` reads of Postfix' configuration, with room for large tables. False where it says itself how much room
 * there is. At one go: each step for itself would wait for the entries that are checked meanwhile, longer than it takes.
 */
function makeRoomyConfig(folder: string, { configDir }: Paths): boolean {
  const text = readFileSync(`${configDir}/main.cf`, 'latin1');
  if (/^lmdb_map_size/m.test(text)) return false;
  mkdirSync(folder, { mode: 0o700 });
  // Where it says which folder it is in, this would be another one.
  const elsewhere = `${text}\n`.replace(/^config_directory[^\n]*\n(?:[ \t][^\n]*\n)*/gm, '');
  const file = `${folder}/main.cf`;
  writeFileSync(file, `${elsewhere}lmdb_map_size = ${MAP_BYTES}\n`, 'latin1');
  const then = Date.now() / 1000 - BACKDATE_S;
  utimesSync(file, then, then);
  for (const name of ['dynamicmaps.cf', 'dynamicmaps.cf.d']) {
    symlinkSync(`${configDir}/${name}`, `${folder}/${name}`);
  }
  return true;
}
