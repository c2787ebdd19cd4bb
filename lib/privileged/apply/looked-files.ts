/**
 * Which of the files we wrote were edited since. There may be hundreds, and reading them all takes longer than the rest of
 * a save; so one that was read and found to be ours is not read again while it is the same file with the same change time.
 */
import type { SectionRegistry } from '../../sections/registry.js';
import type { Section } from '../../sections/section.js';
import { readOwnText } from '../files.js';
import type { Paths } from '../paths.js';
import { stampOf } from '../stamp.js';
import { digestOf, type HelperState } from '../state.js';
import { isBelow } from './render.js';

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
