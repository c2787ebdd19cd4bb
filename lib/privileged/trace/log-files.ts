/**
 * The mail log as a row of pieces that can be read at any place, the newest first: the file in use, rotated ones, packed
 * ones (unpacked into files without a name, never into memory), or the days of the machine's journal.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { open, readdir, realpath, rm, statfs, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { hasCode } from '../files.js';
import { JOURNALCTL, mailLogFile } from '../mail-log.js';
import { CLEAN_ENVIRONMENT } from '../native.js';
import type { Paths } from '../paths.js';

/** What may be unpacked for one search, in bytes, and what stays free on the disk where that is done. */
export const MAX_UNPACKED_BYTES = 4 * 1024 ** 3;
const KEPT_FREE_BYTES = 512 * 1024 ** 2;
const DAY_S = 86_400;
/** How a rotated log is called after the name it had: logrotate's numbers and dates, and those of `postfix logrotate`. */
const ROTATED = /^[.-](?:\d{1,4}|\d{8}(?:-\d{1,10})?)(\.gz|\.xz|\.zst|\.bz2)?$/;
/** Who unpacks what zlib cannot. */
const UNPACKERS: Readonly<Record<string, string>> = {
  '.xz': '/usr/bin/xz',
  '.zst': '/usr/bin/zstd',
  '.bz2': '/usr/bin/bzip2',
};

/** A piece of the log that can be read at any place. */
export interface LogPiece {
  readonly handle: FileHandle;
  /** Bytes. */
  readonly size: number;
  /** No line is newer, in seconds since 1970. */
  readonly end: number;
}

/** A piece that was not opened yet. */
interface Candidate {
  readonly name: string;
  readonly end: number;
  /** Bytes as it lies there, packed or not; null while nobody knows. */
  readonly bytes: number | null;
  open(): Promise<LogPiece>;
}

/** Packed by a program that this machine lacks, or broken. */
class Unreadable extends Error {}
/** More than `MAX_UNPACKED_BYTES`, or no room for it. */
class NoRoom extends Error {}

export interface LogFilesOptions {
  /** journalctl(1), or what stands in for it. */
  readonly journalctl?: string;
  readonly maxUnpackedBytes?: number;
}

/** Opens pieces when they are asked for, keeps them open, and closes all at the end. */
export class LogFiles {
  readonly unreadable: string[] = [];
  /** Older pieces were left out because there was no room to unpack them. */
  outOfRoom = false;
  readonly #opened: (LogPiece | null)[] = [];

  private constructor(
    readonly source: 'file' | 'journal' | 'none',
    private readonly candidates: readonly Candidate[],
    private readonly room: UnpackingRoom,
  ) {}

  /** `named` is the value of `maillog_file`. */
  static async find(
    paths: Paths,
    named: string,
    { journalctl = JOURNALCTL, maxUnpackedBytes = MAX_UNPACKED_BYTES }: LogFilesOptions = {},
  ): Promise<LogFiles> {
    const room = new UnpackingRoom(paths.stateDir, maxUnpackedBytes);
    const journal = (paths.root === '' || journalctl !== JOURNALCTL) && existsSync(journalctl);
    const file = await mailLogFile(paths, named, journal);
    if (file !== null) return new LogFiles('file', await filesBeside(file, room), room);
    const days = journal ? await daysOf(journalctl, room) : [];
    return new LogFiles(days.length === 0 ? 'none' : 'journal', days, room);
  }

  /** Called while a piece is unpacked: what it throws ends that. */
  set onUnpacking(alive: () => void) {
    this.room.alive = alive;
  }

  get count(): number {
    return this.candidates.length;
  }

  /** All bytes there are, as far as they are known; packed ones count as they lie there. */
  get bytes(): number | null {
    const sizes = this.candidates.map(({ bytes }) => bytes);
    return sizes.includes(null) ? null : sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  }

  /** The moment a piece ends, without opening it. Seconds since 1970. */
  endOf(index: number): number {
    return this.candidates[index]?.end ?? 0;
  }

  /** Bytes of a piece as it lies there; 0 when nobody knows. */
  bytesOf(index: number): number {
    return this.candidates[index]?.bytes ?? 0;
  }

  /** The piece, the newest is 0. Null when there is none, or it cannot be read. */
  async piece(index: number): Promise<LogPiece | null> {
    const known = this.#opened[index];
    if (known !== undefined) return known;
    const candidate = this.candidates[index];
    if (candidate === undefined) return null;
    const piece = await candidate.open().catch((error: unknown) => {
      if (error instanceof NoRoom) this.outOfRoom = true;
      else if (error instanceof Unreadable) this.unreadable.push(candidate.name);
      // Rotated away between the look at the folder and now.
      else if (!hasCode(error, 'ENOENT')) throw error;
      return null;
    });
    this.#opened[index] = piece;
    return piece;
  }

  async close(): Promise<void> {
    for (const piece of this.#opened) await piece?.handle.close();
  }
}

async function filesBeside(file: string, room: UnpackingRoom): Promise<Candidate[]> {
  const current = await realpath(file);
  const folder = path.dirname(current);
  const base = path.basename(current);
  const names = (await readdir(folder)).filter(
    (name) => name === base || (name.startsWith(base) && ROTATED.test(name.slice(base.length))),
  );
  const found = await Promise.all(names.map((name) => candidateOf(folder, name, base, room)));
  return found
    .filter((candidate) => candidate !== null)
    .sort((a, b) => Number(b.name === base) - Number(a.name === base) || b.end - a.end);
}

async function candidateOf(
  folder: string,
  name: string,
  base: string,
  room: UnpackingRoom,
): Promise<Candidate | null> {
  const file = path.join(folder, name);
  const kind = name === base ? '' : (ROTATED.exec(name.slice(base.length))?.[1] ?? '');
  const look = await openRegular(file);
  if (look === null) return null;
  const { size, mtimeMs } = await look.stat();
  await look.close();
  const end = Math.floor(mtimeMs / 1000);
  const reopen = async (): Promise<FileHandle> => {
    const handle = await openRegular(file);
    if (handle === null) throw new Unreadable(name);
    return handle;
  };
  const openPiece = async (): Promise<LogPiece> => {
    const handle = await reopen();
    if (kind === '') return { handle, size: (await handle.stat()).size, end };
    try {
      return { ...(await unpack(handle, kind, room)), end };
    } finally {
      await handle.close();
    }
  };
  return { name, end, bytes: size, open: openPiece };
}

/** Null for a link, a folder, a pipe: whoever may write beside the log must not choose what root reads. */
async function openRegular(file: string): Promise<FileHandle | null> {
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const handle = await open(file, flags);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    return null;
  } catch (error) {
    if (hasCode(error, 'ELOOP') || hasCode(error, 'ENOENT') || hasCode(error, 'ENXIO')) return null;
    throw error;
  }
}

type Unpacked = Pick<LogPiece, 'handle' | 'size'>;

async function unpack(packed: FileHandle, kind: string, room: UnpackingRoom): Promise<Unpacked> {
  const input = packed.createReadStream({ start: 0, autoClose: false });
  if (kind === '.gz') {
    const gunzip = createGunzip();
    return room.fill(gunzip, pipeline(input, gunzip));
  }
  const program = UNPACKERS[kind] ?? '';
  if (!existsSync(program)) throw new Unreadable(kind);
  const child = spawn(program, ['-dc'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: CLEAN_ENVIRONMENT,
    cwd: '/',
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Unreadable(kind))));
  });
  ended.catch(() => undefined);
  const feeding = pipeline(input, child.stdin).then(() => ended);
  try {
    return await room.fill(held(child.stdout), feeding);
  } finally {
    child.kill('SIGKILL');
  }
}

/** What a program prints before somebody reads it would be lost when it ends first. */
function held(output: Readable): Readable {
  return output.pipe(new PassThrough());
}

/** Files without a name, whose room is free again when the process ends, however it ends. */
class UnpackingRoom {
  alive: () => void = () => undefined;
  #used = 0;

  constructor(
    private readonly folder: string,
    private readonly limit: number,
  ) {}

  /** Writes all of it to a new file. Throws `NoRoom`, or `Unreadable` when `source` breaks. */
  async fill(output: Readable, source: Promise<unknown>): Promise<Unpacked> {
    source.catch(() => undefined);
    const name = `${this.folder}/unpacked.${randomUUID()}`;
    const handle = await open(name, 'wx+', 0o600);
    await rm(name);
    let size = 0;
    const endings: Error[] = [];
    try {
      for await (const chunk of output as AsyncIterable<Buffer>) {
        try {
          this.alive();
        } catch (error) {
          endings.push(error as Error);
          throw error;
        }
        this.#used += chunk.length;
        if (this.#used > this.limit || !(await this.#hasRoom(size, chunk.length))) {
          throw new NoRoom();
        }
        await handle.write(chunk);
        size += chunk.length;
      }
      await source;
      return { handle, size };
    } catch (error) {
      await handle.close();
      this.#used -= size;
      for (const ending of endings) throw ending;
      if (error instanceof NoRoom || hasCode(error, 'ENOSPC')) throw new NoRoom();
      throw new Unreadable(String(error));
    }
  }

  /** Looks at the disk once in a while only. */
  async #hasRoom(before: number, more: number): Promise<boolean> {
    const step = 16 * 1024 ** 2;
    if (before > 0 && Math.floor(before / step) === Math.floor((before + more) / step)) return true;
    const { bavail, bsize } = await statfs(this.folder);
    return bavail * bsize - more > KEPT_FREE_BYTES;
  }
}

/** One piece for each day since the first line the journal holds. */
async function daysOf(journalctl: string, room: UnpackingRoom): Promise<Candidate[]> {
  const first = await firstMoment(journalctl);
  if (first === null) return [];
  const days: Candidate[] = [];
  const now = Math.floor(Date.now() / 1000) + 1;
  for (let end = now; end > first; end -= DAY_S) {
    const args = [`--since=@${end - DAY_S}`, `--until=@${end}`];
    days.push({
      name: `journal @${end}`,
      end,
      bytes: null,
      open: async () => {
        const child = journal(journalctl, 'short-iso-precise', args);
        const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
        try {
          return { ...(await room.fill(held(child.stdout), ended)), end };
        } finally {
          child.kill('SIGKILL');
        }
      },
    });
  }
  return days;
}

async function firstMoment(journalctl: string): Promise<number | null> {
  const child = journal(journalctl, 'short-unix', []);
  try {
    let text = '';
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      text += chunk.toString('latin1');
      if (text.includes('\n')) break;
    }
    const seconds = /^(\d{9,12})(?:\.\d+)? /.exec(text)?.[1];
    return seconds === undefined ? null : Number(seconds);
  } finally {
    child.kill('SIGKILL');
  }
}

/** What programs log as `mail` (syslog(3)). */
function journal(program: string, output: string, more: readonly string[]) {
  const options = ['--quiet', '--no-pager', '--facility=mail', `--output=${output}`];
  return spawn(program, [...options, ...more], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: CLEAN_ENVIRONMENT,
    cwd: '/',
  });
}
