/**
 * The folder in which amavis keeps mail back. It belongs to amavis, which strangers' mail may one day take over: root goes
 * into it once, follows no link there, and touches nothing but the files it knows by their names.
 */
import { constants } from 'node:fs';
import { lstat, open, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { isQuarantineId, MAX_HEADER_BYTES, type QuarantineRow } from '../../quarantine/schema.js';
import { readRow } from '../../quarantine/header.js';
import { QUARANTINE_FOLDER } from '../../security/places.js';
import { hasCode } from '../files.js';
import type { Paths } from '../paths.js';

export interface QuarantineFile {
  readonly id: string;
  /** Bytes. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly at: number;
}

export class QuarantineFolder {
  private constructor(private readonly handle: FileHandle) {}

  /** Null while nothing was ever kept back. */
  static async open(paths: Paths): Promise<QuarantineFolder | null> {
    try {
      const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
      return new QuarantineFolder(await open(paths.root + QUARANTINE_FOLDER, flags));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return null;
      throw error;
    }
  }

  /** All mails, the newest first. */
  async files(): Promise<readonly QuarantineFile[]> {
    const names = (await readdir(`/proc/self/fd/${this.handle.fd}`)).filter(isQuarantineId);
    const found: QuarantineFile[] = [];
    for (const id of names) {
      const file = await lstat(this.#pathOf(id)).catch(() => null);
      if (file?.isFile()) found.push({ id, size: file.size, at: Math.floor(file.mtimeMs / 1000) });
    }
    return found.sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1));
  }

  /** What its header tells, nothing where it cannot be read: it can be deleted all the same. Null when it has gone. */
  async row(file: QuarantineFile): Promise<QuarantineRow | null> {
    const head = await this.head(file.id, MAX_HEADER_BYTES).catch(() => Buffer.alloc(0));
    return head === null ? null : readRow(head, file);
  }

  /** One mail with its size and time; null when it has gone. */
  async find(id: string): Promise<QuarantineFile | null> {
    const file = await lstat(this.#pathOf(id)).catch(() => null);
    return file?.isFile() ? { id, size: file.size, at: Math.floor(file.mtimeMs / 1000) } : null;
  }

  async head(id: string, bytes: number): Promise<Buffer | null> {
    const chunks: Buffer[] = [];
    let read = 0;
    for await (const chunk of this.content(id)) {
      chunks.push(chunk.subarray(0, bytes - read));
      read += chunk.length;
      if (read >= bytes) break;
    }
    return chunks.length === 0 && (await this.find(id)) === null ? null : Buffer.concat(chunks);
  }

  /** The file in pieces, unpacked. Nothing of what has gone, and of what is no file, or has a second name elsewhere. */
  async *content(id: string): AsyncGenerator<Buffer, void> {
    let handle: FileHandle;
    try {
      // Whatever it is by now, opening it must not wait.
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      handle = await open(this.#pathOf(id), flags);
    } catch (error) {
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ELOOP') || hasCode(error, 'ENXIO')) return;
      throw error;
    }
    try {
      const file = await handle.stat();
      if (!file.isFile() || file.nlink > 1) return;
      const stream = handle.createReadStream({ autoClose: false });
      const plain = id.endsWith('.gz') ? pipeline(stream, createGunzip(), () => undefined) : stream;
      yield* plain as AsyncIterable<Buffer>;
    } finally {
      await handle.close();
    }
  }

  /** False when it has gone already. */
  async remove(id: string): Promise<boolean> {
    try {
      await unlink(this.#pathOf(id));
      return true;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  #pathOf(id: string): string {
    if (!isQuarantineId(id)) throw new RangeError('not the name of a kept mail');
    return `/proc/self/fd/${this.handle.fd}/${id}`;
  }
}
