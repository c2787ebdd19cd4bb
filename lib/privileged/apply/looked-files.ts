/**
 * Which of the files we wrote were edited since. There may be hundreds, and reading them all takes longer than the rest of
 * a save; so one that was read and found to be ours is not read again while it is the same file with the same change time.
 */
import { lstatSync } from 'node:fs';
import type { SectionRegistry } from '../../sections/registry.js';
import type { Section } from '../../sections/section.js';
import { readOwnText } from '../files.js';
import type { Paths } from '../paths.js';
import { digestOf, type HelperState } from '../state.js';
import { isBelow } from './render.js';

/**
 * How long a file must have been left alone before its stamp says anything, in milliseconds: two changes within one tick of
 * the clock that file systems use have one change time.
 */
const SETTLED_MS = 2_000;

export interface EditedFile {
  readonly name: string;
  /** Digest of what we wrote. */
  readonly ours: string;
  /** What stands there; null when it is gone. */
  readonly theirs: string | null;
  readonly digest: string;
}

export interface LookedFiles {
  readonly edited: readonly EditedFile[];
  /** By name: the stamps of files that were read and found to be as we wrote them. */
  readonly stamps: Readonly<Record<string, string>>;
}

/** All of our files, or only those of the named sections. `now` is for tests: nobody can set a change time. */
export function lookAtFiles(
  { written }: HelperState,
  { root }: Pick<Paths, 'root'>,
  registry: SectionRegistry,
  only?: ReadonlySet<string>,
  now = Date.now(),
): LookedFiles {
  const sections = registry.all.filter(({ id }) => only?.has(id) ?? true);
  const edited: EditedFile[] = [];
  const stamps: Record<string, string> = {};
  for (const [name, ours] of Object.entries(written.files)) {
    if (!sections.some((section) => isOwnedBy(section, name))) continue;
    const file = `${root}${name}`;
    const stamp = stampOf(file, now);
    if (stamp !== null && stamp === written.stamps?.[name]) continue;
    const theirs = readOwnText(file);
    const digest = digestOf(theirs ?? '');
    if (theirs === null || digest !== ours) edited.push({ name, ours, theirs, digest });
    else if (stamp !== null) stamps[name] = stamp;
  }
  return { edited, stamps };
}

export function isOwnedBy({ owns }: Section, name: string): boolean {
  return owns.files.includes(name) || isBelow(owns.folders, name);
}

/**
 * Nobody can write to a file, exchange it, or change whose it is, and leave this the same (inode(7)). Null for none, and
 * for one that was changed a moment ago.
 */
function stampOf(file: string, now: number): string | null {
  const found = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  if (!found?.isFile() || found.ctimeMs > BigInt(now - SETTLED_MS)) return null;
  return `${found.ino}/${found.size}/${found.ctimeNs}`;
}
