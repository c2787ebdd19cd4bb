/** A database in memory, of the same make as the embedded one, for tests of pages and rules. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import type { Knex } from 'knex';
import { embeddedPool } from '../../lib/database/pool.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { silentLog } from './log.js';

/** An empty database, made once: making one anew takes six times as long as unpacking it. */
const TEMPLATE = join(PACKAGE_ROOT, 'node_modules/.cache/mailserver-tests/pglite-0.5.16.tar');

export interface MemoryDatabase {
  readonly db: Knex;
  /** The protocol's Sync, past the pool. */
  sync(): Promise<unknown>;
  close(): Promise<void>;
}

export async function openMemoryDatabase(): Promise<MemoryDatabase> {
  const pglite = new PGlite({ loadDataDir: await template() });
  await pglite.waitReady;
  const db = embeddedPool(pglite, silentLog);
  return {
    db,
    sync: () => pglite.execProtocolRaw(Uint8Array.of(0x53, 0, 0, 0, 4)),
    async close() {
      await db.destroy();
      await pglite.close();
    },
  };
}

async function template(): Promise<Blob> {
  const found = await readFile(TEMPLATE).catch(() => null);
  if (found !== null) return new Blob([found]);
  const pglite = new PGlite();
  await pglite.waitReady;
  const made = await pglite.dumpDataDir('none');
  await pglite.close();
  await mkdir(dirname(TEMPLATE), { recursive: true });
  const beside = `${TEMPLATE}.${process.pid}`;
  await writeFile(beside, Buffer.from(await made.arrayBuffer()));
  await rename(beside, TEMPLATE);
  return made;
}
