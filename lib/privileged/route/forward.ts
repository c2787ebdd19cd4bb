/**
 * A user's own `.forward` file, as local(8) finds it: `.forward+extension` before `.forward`. Postfix opens it with the
 * user's rights, we as root: so it is read only where it is a plain file of the user's own and no second name of another
 * one, or where everybody may read it.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { parseAliasValue, type LocalTarget } from '../../aliases/local.js';
import type { ForwardFault } from '../../route/schema.js';
import { hasCode } from '../files.js';
import { USERS, type Tables } from './tables.js';

/** Larger files are not followed, in bytes. */
const MAX_BYTES = 64 * 1024;
/** The way there that Postfix has when nobody set another one (postconf(5), forward_path). */
const USUAL_PATH = '$home/.forward${recipient_delimiter}${extension}, $home/.forward';

const OTHERS_READ = 0o004;
const OTHERS_WRITE = 0o002;

interface ForwardUser {
  readonly uid: number;
  readonly home: string;
  /** What the address has behind the name, with its delimiter; '' for nothing. */
  readonly extension: string;
}

/** `mailbox`: of this name, of which nothing is asked (`\\name`). */
type ForwardTarget = LocalTarget | { readonly kind: 'mailbox'; readonly text: string };

/** A file that is followed: whose it is, and what it says. */
export interface ForwardFile {
  readonly login: string;
  readonly targets: readonly ForwardTarget[];
}

/** Null: mail goes to the mailbox. `fault`: there is one that could not be followed here. */
type Forward =
  { readonly targets: readonly ForwardTarget[] } | { readonly fault: ForwardFault } | null;

/** The `.forward` file of the user of this name; null where there is none. */
export async function forwardOf(
  names: readonly string[],
  extension: string,
  tables: Tables,
): Promise<ForwardFile | { readonly fault: ForwardFault } | null> {
  const entries = await tables.askTable(USERS, names);
  const login = names.find((name) => entries.has(name));
  if (login === undefined) return null;
  const [, , uid = '', , , home = ''] = (entries.get(login) ?? '').split(':');
  // A name that is a user's as a whole has no extension.
  const behind = login === names[0] ? '' : extension;
  const user = { uid: Number(uid), home, extension: behind };
  const found = await readForward(user, tables.forwardPath);
  return found === null || 'fault' in found ? found : { login, targets: found.targets };
}

/** `path` is the value of `forward_path` as it was set. */
async function readForward(user: ForwardUser, path: string): Promise<Forward> {
  if (path.trim() === '') return null;
  if (path.replace(/\s+/g, ' ').trim() !== USUAL_PATH) return { fault: 'path' };
  if (!user.home.startsWith('/')) return null;
  // Postfix puts `_` in the place of other signs (forward_expansion_filter).
  const extension = user.extension.replace(/[^\w!@%+=:,./-]/g, '_');
  const names = extension === '' || extension.includes('/') ? [''] : [extension, ''];
  for (const name of names) {
    const found = await readOne(`${user.home}/.forward${name}`, user.uid);
    if (found !== null) return found;
  }
  return null;
}

async function readOne(file: string, uid: number): Promise<Forward> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  let handle;
  try {
    handle = await open(file, flags);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return null;
    return { fault: 'unread' };
  }
  try {
    const status = await handle.stat();
    if (!status.isFile()) return { fault: 'unread' };
    // Postfix passes it over, and so the mailbox gets the mail.
    if ((status.mode & OTHERS_WRITE) !== 0) return { fault: 'ignored' };
    const own = status.uid === uid && status.nlink === 1;
    if (!own && (status.mode & OTHERS_READ) === 0) return { fault: 'unread' };
    if (status.size > MAX_BYTES) return { fault: 'unread' };
    const bytes = Buffer.alloc(MAX_BYTES);
    const { bytesRead } = await handle.read(bytes, 0, MAX_BYTES, 0);
    const targets = parseForward(bytes.toString('utf8', 0, bytesRead));
    return targets.length === 0 ? null : { targets };
  } catch {
    return { fault: 'unread' };
  } finally {
    await handle.close();
  }
}

/** Targets as in the aliases file, over any number of lines; `#` begins a comment (aliases(5), local(8)). */
function parseForward(text: string): readonly ForwardTarget[] {
  const lines = text.split('\n').filter((line) => !/^\s*#/.test(line));
  const parts = lines.flatMap((line) => (line.includes('"') ? [line] : line.split(',')));
  return parts.flatMap((part): readonly ForwardTarget[] => {
    const name = /^\s*\\([^\s\\@]+)\s*$/.exec(part)?.[1];
    return name === undefined ? parseAliasValue(part) : [{ kind: 'mailbox', text: name }];
  });
}
