/** The helper's own log of what was asked of it: one JSON line an entry, root only, only ever appended to. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { ensurePrivateFolder } from './files.js';
import type { Paths } from './paths.js';

export interface AuditEntry {
  readonly actor: string;
  readonly action: string;
  readonly params: unknown;
  readonly result: string;
  readonly ms: number;
}

/** Throws when the entry cannot be written. */
export async function audit(paths: Paths, entry: AuditEntry): Promise<void> {
  await ensurePrivateFolder(paths.stateDir);
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  const handle = await open(`${paths.stateDir}/audit.log`, flags, 0o600);
  try {
    await handle.writeFile(`${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`);
  } finally {
    await handle.close();
  }
}
