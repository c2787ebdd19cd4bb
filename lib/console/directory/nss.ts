/** The machine's own users and groups, as the name service switch knows them (files, LDAP, ...). */
import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Directory, DirectoryGroup, DirectoryUser, Log } from '../../contract.js';
import { readGroups, readUidRange, readUsers } from './passwd.js';

/** How often the files are looked at while somebody listens. Milliseconds. */
const WATCH_INTERVAL_MS = 3_000;
/** How long an answer stands for sources that are no files (LDAP). Milliseconds. */
const MAX_AGE_MS = 60_000;
const GETENT_TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

export interface NssPaths {
  readonly getent: string;
  readonly passwd: string;
  readonly group: string;
  readonly loginDefs: string;
}

const SYSTEM_PATHS: NssPaths = {
  getent: '/usr/bin/getent',
  passwd: '/etc/passwd',
  group: '/etc/group',
  loginDefs: '/etc/login.defs',
};

export interface NssDirectory extends Directory {
  /** Ends the watching. */
  close(): void;
}

interface Snapshot {
  readonly users: readonly DirectoryUser[];
  readonly groups: readonly DirectoryGroup[];
  /** What the files looked like just before they were read. */
  readonly stamp: string;
  readonly at: number;
}

export function createNssDirectory(
  log: Log,
  paths: NssPaths = SYSTEM_PATHS,
  { watchEveryMs = WATCH_INTERVAL_MS } = {},
): NssDirectory {
  const listeners = new Set<() => void>();
  let known: Promise<Snapshot> | null = null;
  let timer: NodeJS.Timeout | null = null;

  const snapshot = async (): Promise<Snapshot> => {
    const current = known === null ? null : await known.catch(() => null);
    if (current !== null && Date.now() - current.at < MAX_AGE_MS) {
      if (current.stamp === (await stampOf(paths))) return current;
    }
    known = read(paths);
    return known;
  };

  /** Compares people, not files: an edit that changes nobody is no change. */
  const look = async (before: Snapshot | null): Promise<Snapshot | null> => {
    let after: Snapshot;
    try {
      after = await snapshot();
    } catch (error) {
      log.warn({ err: error }, 'the users of the machine could not be read');
      return before;
    }
    const same =
      before === null ||
      before === after ||
      (JSON.stringify(before.users) === JSON.stringify(after.users) &&
        JSON.stringify(before.groups) === JSON.stringify(after.groups));
    if (!same) for (const listener of listeners) listener();
    return after;
  };

  const watch = (): void => {
    // Whatever was handed out last is what a change is a change of.
    let last: Promise<Snapshot | null> = known?.catch(() => null) ?? look(null);
    timer = setInterval(() => {
      last = last.then(look);
    }, watchEveryMs);
    timer.unref();
  };

  const close = (): void => {
    if (timer !== null) clearInterval(timer);
    timer = null;
  };

  return {
    kind: 'nss',
    close,
    users: async () => (await snapshot()).users,
    groups: async () => (await snapshot()).groups,
    onChange(listener) {
      const entry = (): void => listener();
      listeners.add(entry);
      if (timer === null) watch();
      return () => {
        listeners.delete(entry);
        if (listeners.size === 0) close();
      };
    },
  };
}

async function read(paths: NssPaths): Promise<Snapshot> {
  const at = Date.now();
  const stamp = await stampOf(paths);
  const [passwd, group, loginDefs] = await Promise.all([
    database(paths, 'passwd'),
    database(paths, 'group'),
    readFile(paths.loginDefs, 'utf8').catch(() => ''),
  ]);
  const users = readUsers(passwd, group, readUidRange(loginDefs));
  return { users, groups: readGroups(group), stamp, at };
}

/** Asks getent(1); where there is none, the file is all there is to ask. */
async function database(paths: NssPaths, name: 'passwd' | 'group'): Promise<string> {
  try {
    const options = { env: {}, timeout: GETENT_TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES };
    const { stdout } = await promisify(execFile)(paths.getent, [name], options);
    return stdout;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return readFile(paths[name], 'utf8');
  }
}

async function stampOf(paths: NssPaths): Promise<string> {
  const stamps = [paths.passwd, paths.group, paths.loginDefs].map(async (path) => {
    const found = await stat(path).catch(() => null);
    return found === null ? 'none' : [found.ino, found.mtimeMs, found.size].join('/');
  });
  return (await Promise.all(stamps)).join(' ');
}
