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
import { chmod, open, type FileHandle } from 'node:fs/promises';
import { statusOf } from '../files.js';
import { CLEAN_ENVIRONMENT, runNative, type NativeResult } from '../native.js';
import type { Paths } from '../paths.js';
import { BACKDATE_S } from './stage.js';
import { holdsExactly } from './table-pages.js';
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
/** And from so many on everything is made ready for it. */
const PREPARED_BYTES = 32 * 1024;
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
/** So many bytes are written to the pipe at a time: what it holds. */
const PASSED_BYTES = 64 * 1024;
/** How long the lines may take to come, in milliseconds: as long as the whole request. */
const STREAM_TIMEOUT_MS = 600_000;

export class TableBuild {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #count = 0;
  /** Lines that are not passed on yet. */
  #text = '';
  #last = '';
  #ordered = true;
  #ready: Promise<ReadyPipe | null> | null = null;
  #stream: Promise<StreamedPostmap | null> | null = null;

  constructor(
    private readonly name: string,
    private readonly paths: Paths,
  ) {}

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
    const chunk = Buffer.from(text);
    // Of all characters only those of two code units come in another order than their bytes.
    this.#ordered &&= chunk.length === text.length || !/[\ud800-\udfff]/.test(text);
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= PREPARED_BYTES) void this.#prepare();
    if (this.#stream) this.#pass(chunk);
    else if (this.#bytes >= STREAMED_BYTES) this.#begin();
  }

  /** The new file, read back; null when the table in its place holds the same. Throws at stage `stage`. */
  async finish(mayBeSame: boolean): Promise<string | null> {
    const made = this.#stream?.then((stream) => stream?.end() ?? null);
    made?.catch(() => undefined);
    // Nothing of it is still being made when the folder is removed.
    await this.#ready?.catch(() => undefined);
    const lines = this.#lines();
    const there = tableFile(this.paths, this.name);
    const same =
      mayBeSame &&
      (await statusOf(there)) !== null &&
      (await holdsExactly(there, lines, this.#count));
    const built = await made;
    if (same) return null;
    if (!built) return buildTable(this.name, lines, false, this.paths);
    if (!(await holdsText(built, lines, this.paths))) throw refusedTable(this.name, '');
    return built;
  }

  /** Ends what was begun. */
  async abandon(): Promise<void> {
    await this.#ready?.catch(() => undefined);
    await this.#stream?.then((stream) => stream?.end()).catch(() => undefined);
  }

  /** All lines in the order of their keys' bytes. */
  #lines(): Buffer {
    const all = Buffer.concat(this.#chunks);
    if (this.#ordered) return all;
    const lines = all.toString().split('\n').slice(0, -1);
    return Buffer.from(sortLines(lines.map((line) => `${line}\n`)));
  }

  #prepare(): Promise<ReadyPipe | null> {
    this.#ready ??= preparePipe(this.name, this.paths);
    this.#ready.catch(() => undefined);
    return this.#ready;
  }

  #begin(): void {
    this.#stream = this.#prepare().then((ready) => ready && StreamedPostmap.start(ready));
    this.#stream.catch(() => undefined);
    for (const chunk of this.#chunks) this.#pass(chunk);
  }

  #pass(chunk: Buffer): void {
    void this.#stream?.then((stream) => stream?.write(chunk)).catch(() => undefined);
  }
}

/** A named pipe in a folder of its own, and the configuration for who reads it. */
interface ReadyPipe {
  readonly name: string;
  readonly source: string;
  readonly config: string;
}

/** Null where the administrator has set the room for tables: then it is built at the end. */
async function preparePipe(name: string, paths: Paths): Promise<ReadyPipe | null> {
  const folder = await makeBuildFolder(paths);
  const [source, config] = [`${folder}/${name}`, `${folder}/.config`];
  if (!makeRoomyConfig(config, paths)) return null;
  const fifo = await runNative('/usr/bin/mkfifo', ['-m', '600', source]);
  if (fifo.code !== 0) throw refusedTable(name, fifo.stderr);
  return { name, source, config };
}

/** A `postmap` that reads from a named pipe. */
class StreamedPostmap {
  readonly #behind: WriteBehind;

  private constructor(
    private readonly name: string,
    private readonly file: string,
    private readonly pipe: FileHandle,
    /** Holds the pipe open until `postmap` does, and no longer than it runs: then who writes is told. */
    private readonly keeper: FileHandle,
    private readonly running: Promise<NativeResult>,
  ) {
    this.#behind = new WriteBehind(pipe, PASSED_BYTES);
  }

  static async start({ name, source, config }: ReadyPipe): Promise<StreamedPostmap> {
    const file = `${source}.lmdb`;
    const keeper = await open(source, constants.O_RDWR);
    const pipe = await open(source, constants.O_WRONLY);
    // A pipe that we are killed before it opens keeps it waiting: we cannot end it then.
    const seconds = String((2 * STREAM_TIMEOUT_MS) / 1000);
    const postmap = [POSTMAP, '-c', config, tableMap(file)];
    const running = runNative('/usr/bin/timeout', [seconds, ...postmap], {
      timeoutMs: STREAM_TIMEOUT_MS,
      environment: ENVIRONMENT,
    }).finally(() => keeper.close());
    running.catch(() => undefined);
    return new StreamedPostmap(name, file, pipe, keeper, running);
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
