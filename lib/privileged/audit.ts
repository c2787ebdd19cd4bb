/**
 * The helper's own logs of what was asked of it: one JSON line an entry, root only, only ever appended to.
 *
 * What changed something stands in a file of its own. Only real changes fill that one: whoever has taken over the web
 * side can ask what is refused, or only look, as often as they like, and rotate no change out of the record.
 */
import { constants } from 'node:fs';
import { open, readdir, rename, unlink } from 'node:fs/promises';
import { ensurePrivateFolder } from './files.js';
import type { Paths } from './paths.js';

/** `changes` is what changed something, before and after; `requests` is all that was asked, and how it ended. */
export type AuditLogName = 'changes' | 'requests';

const FILES: Readonly<Record<AuditLogName, string>> = {
  changes: 'audit.log',
  requests: 'audit-requests.log',
};

/** Size at which a new file is begun, in bytes. */
export const MAX_AUDIT_BYTES = 16 * 1024 * 1024;
/** How many full files are kept of each log. */
export const KEPT_AUDIT_FILES = 8;
/** Longest entry, in bytes: whoever may ask must not be able to fill the disk with a question. */
const MAX_ENTRY_BYTES = 16 * 1024;

export interface AuditEntry {
  /** The same for all entries of one request. */
  readonly id: string;
  readonly actor: string;
  readonly action: string;
  /** Left out when they were refused. */
  readonly params?: unknown;
  /** `asked` before anything is done, `begins` before something is changed; then how it ended. */
  readonly result: string;
  readonly ms: number;
}

/** Throws when the entry cannot be written. */
export async function audit(paths: Paths, log: AuditLogName, entry: AuditEntry): Promise<void> {
  await ensurePrivateFolder(paths.stateDir);
  const file = `${paths.stateDir}/${FILES[log]}`;
  const at = new Date().toISOString();
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  const handle = await open(file, flags, 0o600);
  try {
    await handle.writeFile(asLine(at, entry));
    if ((await handle.stat()).size < MAX_AUDIT_BYTES) return;
  } finally {
    await handle.close();
  }
  // Two that do so at once give the same or a newer file another name of its own: no entry is lost.
  await rename(file, `${file}.${at}-${process.pid}`);
  await removeOldest(paths.stateDir, `${FILES[log]}.`);
}

function asLine(at: string, { params, ...entry }: AuditEntry): string {
  const whole = `${JSON.stringify({ at, ...entry, params })}\n`;
  if (Buffer.byteLength(whole) <= MAX_ENTRY_BYTES) return whole;
  return `${JSON.stringify({ at, ...entry, params: 'too long' })}\n`;
}

async function removeOldest(folder: string, prefix: string): Promise<void> {
  const full = (await readdir(folder)).filter((name) => name.startsWith(prefix)).sort();
  for (const name of full.slice(0, -KEPT_AUDIT_FILES)) await unlink(`${folder}/${name}`);
}
