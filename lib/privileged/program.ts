/** Which program this is: what it wrote itself it need not check again, and what another release wrote it must. */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The one file of an installed release, by what it looks like from outside; null for a build of many files, any of which may
 * have changed. Asked when it is loaded: a release may be replaced while it runs.
 */
export const PROGRAM: string | null = programOf(fileURLToPath(import.meta.url));

function programOf(file: string): string | null {
  if (basename(file) !== 'bundle.cjs') return null;
  const { ino, size, ctimeNs } = statSync(file, { bigint: true });
  return `${ino}/${size}/${ctimeNs}`;
}
