/** What a file looks like from outside, so that one that was read need not be read again while that is the same. */
import { lstatSync } from 'node:fs';
import { stat } from 'node:fs/promises';

/**
 * How long a file must have been left alone before its stamp says anything, in milliseconds: two changes within one tick of
 * the clock that file systems use have one change time.
 */
const SETTLED_MS = 2_000;

/**
 * Nobody can write to a file, exchange it, or change whose it is, and leave this the same (inode(7)); `none` where there is
 * nothing. Null for one that was changed a moment ago, and for a link: what it leads to may change without it. `now` is for
 * tests: nobody can set a change time.
 */
export function stampOf(file: string, now = Date.now()): string | null {
  const found = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  if (found === undefined) return 'none';
  if (found.isSymbolicLink() || found.ctimeMs > BigInt(now - SETTLED_MS)) return null;
  return `${found.dev}/${found.ino}/${found.size}/${found.ctimeNs}`;
}

/** What says whether other contents were written to a file: whose it is and who may read it does not count. '' for none. */
export async function contentsStampOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(file, { bigint: true });
    return `${ino}/${size}/${mtimeNs}`;
  } catch {
    return '';
  }
}
