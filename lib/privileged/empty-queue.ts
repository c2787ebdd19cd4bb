/** The folders of a queue without the mail: for an instance that is checked or tried in a namespace of its own. */
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, stat } from 'node:fs/promises';

/** What programs in a chroot need of it (Debian's `smtp` runs in one): name service, certificates, time zone. */
export const CHROOT_FOLDERS = ['dev', 'etc', 'lib', 'lib64', 'usr'] as const;

/** What Postfix makes in a new queue (`postfix-files`). */
const QUEUE_FOLDERS = [
  ...['active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold', 'incoming'],
  ...['maildrop', 'pid', 'private', 'public', 'saved', 'trace'],
];

export function hasAllQueueFolders(queue: string): boolean {
  return QUEUE_FOLDERS.every((name) => existsSync(`${queue}/${name}`));
}

/**
 * Each with the owner and the rights of the real one, chroot folders left out. `postfix check` would make them too, with
 * three programs for each.
 */
export async function copyQueueFolders(real: string, own: string): Promise<void> {
  for (const entry of await readdir(real, { withFileTypes: true })) {
    if (!entry.isDirectory() || CHROOT_FOLDERS.some((name) => name === entry.name)) continue;
    const { uid, gid, mode } = await stat(`${real}/${entry.name}`);
    await mkdir(`${own}/${entry.name}`);
    await chown(`${own}/${entry.name}`, uid, gid);
    await chmod(`${own}/${entry.name}`, mode & 0o7777);
  }
}
