/**
 * A lab's processes see the lab's users, hosts and Postfix configuration at the machine's own paths. All that happens
 * in a mount namespace of their own: the machine sees none of it, and it is gone with the last process in it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Places } from '../launch/places.js';
import { OWN_ETC_FILES } from './tree.js';

/** Any folder that every Debian has: it holds the lab for a moment while its parent is covered. */
const STEPPING_STONE = '/mnt';

/** To be called by a process that `unshare --mount --propagation private` started. Needs root. */
export function enterLab(places: Places): void {
  openParents(places.root);
  for (const name of OWN_ETC_FILES) bind(`${places.root}/etc/${name}`, `/etc/${name}`);
  bind(places.configDir, '/etc/postfix');
  // Signing in to a lab must not ask the machine's accounts.
  if (existsSync('/run/saslauthd')) mount('-t', 'tmpfs', 'tmpfs', '/run/saslauthd');
}

/** What the machine does not have cannot be hidden, and need not be. */
function bind(ours: string, path: string): void {
  if (existsSync(path)) mount('--bind', ours, path);
}

/**
 * A folder below a closed one (`mktemp -d`, somebody's home) cannot be reached by the daemons' users. So the closed one
 * is covered by an empty folder that holds nothing but the lab.
 */
function openParents(root: string): void {
  const closed = outermostClosedParent(root);
  if (closed === null) return;
  mount('--bind', root, STEPPING_STONE);
  mount('-t', 'tmpfs', '-o', 'mode=0755,size=1m', 'tmpfs', closed);
  mkdirSync(root, { recursive: true });
  mount('--move', STEPPING_STONE, root);
}

function outermostClosedParent(path: string): string | null {
  const parent = dirname(path);
  if (parent === path) return null;
  const outer = outermostClosedParent(parent);
  if (outer !== null) return outer;
  return (statSync(parent).mode & 0o001) === 0 ? parent : null;
}

function mount(...args: string[]): void {
  execFileSync('/usr/bin/mount', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
