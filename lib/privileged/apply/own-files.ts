/** Files that are ours from the first line to the last. */
import type { OwnFile } from '../../sections/section.js';
import { readText } from '../files.js';
import type { Paths } from '../paths.js';
import type { Replacement } from './journal.js';

/** Replacements for those files whose content differs from what is on disk. */
export async function planFiles(
  files: ReadonlyMap<string, OwnFile | null>,
  paths: Paths,
): Promise<readonly Replacement[]> {
  const replacements: Replacement[] = [];
  for (const [name, own] of files) {
    const file = `${paths.root}${name}`;
    const present = await readText(file);
    const content = own?.content ?? null;
    if (present === content) continue;
    const gid = own?.group ? await groupId(own.group) : 0;
    replacements.push({ file, content, status: { uid: 0, gid, mode: own?.mode ?? 0o600 } });
  }
  return replacements;
}

/** Throws when the group is unknown: a file nobody can read is worse than a refused save. */
async function groupId(name: string): Promise<number> {
  const line = ((await readText('/etc/group')) ?? '')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`));
  const id = Number(line?.split(':')[2]);
  if (!Number.isInteger(id)) throw new Error(`no group ${name}`);
  return id;
}
