/** Files that are ours from the first line to the last. */
import type { OwnFile } from '../../sections/section.js';
import { readOwnText, readText } from '../files.js';
import type { Paths } from '../paths.js';
import type { Replacement } from './journal.js';

/** Replacements for those files whose content differs from what is on disk; those that are the same are not looked at. */
export async function planFiles(
  files: ReadonlyMap<string, OwnFile | null>,
  same: ReadonlySet<string>,
  paths: Paths,
): Promise<readonly Replacement[]> {
  const replacements: Replacement[] = [];
  for (const [name, own] of files) {
    if (same.has(name)) continue;
    const file = `${paths.root}${name}`;
    const present = readOwnText(file);
    const content = own?.content ?? null;
    if (present === content) continue;
    const uid = own?.owner ? await accountId('/etc/passwd', own.owner) : 0;
    const gid = own?.group ? await accountId('/etc/group', own.group) : 0;
    const status = { uid, gid, mode: own?.mode ?? 0o600 };
    replacements.push({
      file,
      content,
      status,
      before: present,
      secret: own === null || (own.secret ?? false),
    });
  }
  return replacements;
}

/** Throws when the user or group is unknown: a file nobody can read is worse than a refused save. */
async function accountId(database: '/etc/passwd' | '/etc/group', name: string): Promise<number> {
  const line = ((await readText(database)) ?? '')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`));
  const id = Number(line?.split(':')[2]);
  if (!Number.isInteger(id)) throw new Error(`${database} does not know ${name}`);
  return id;
}
