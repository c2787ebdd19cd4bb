/**
 * Program: makes a new, empty embedded database in the folder given as its argument, and ends.
 * A process of its own, because creating the database takes 800 MB of memory that are never given back.
 */
import { closeSync, fsyncSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { startPGlite } from './pglite.js';

async function initialise(folder: string): Promise<void> {
  const { pglite } = startPGlite(folder);
  await pglite.waitReady;
  await pglite.query('select 1');
  await pglite.close();
  syncTree(folder);
}

/** PGlite copies the new database into place without syncing it. */
function syncTree(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) syncTree(inner);
    else syncPath(inner);
  }
  syncPath(path);
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: initialise.js FOLDER');
await initialise(folder);
