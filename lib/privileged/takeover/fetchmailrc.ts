/**
 * A fetchmail that somebody else set up (/etc/fetchmailrc, as Debian's service reads it): what its file means, by fetchmail's
 * own word, and taking it out of use. The file is read by root and understood by the account that fetches.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { constants, open, readFile, rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HelperError } from '../../errors.js';
import { parseConfigDump, type Dumped } from '../../fetchmail/config-dump.js';
import { FETCH_USER } from '../../fetchmail/section.js';
import { queriesIn, type FoundQuery } from '../../fetchmail/take-over.js';
import { hasCode, syncFolder } from '../files.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';

const FETCHMAIL = '/usr/bin/fetchmail';
const SETPRIV = '/usr/bin/setpriv';
/** Larger files are not read, in bytes: a hundred thousand seen messages are five million. */
const MAX_FILE_BYTES = 20_000_000;
/** How long the old daemon has to end after SIGTERM, in milliseconds. */
const STOP_LIMIT_MS = 20_000;
const LOOK_AGAIN_MS = 100;
/** Where Debian's service keeps the number of its process. */
const PID_FILES = ['/run/fetchmail/fetchmail.pid', '/run/fetchmail.pid', '/var/run/fetchmail.pid'];
/** Where what was seen would be in the home that we give it. */
const DEFAULT_ID_FILE = '/.fetchids';
/** Where Debian's service, and root's own fetchmail, have it. */
const ID_FILES = ['/var/lib/fetchmail/.fetchids', '/root/.fetchids'];

export interface Fetchmailrc {
  readonly file: string;
  /** Of its content. */
  readonly digest: string;
  /** Whether the daemon that reads it runs. */
  readonly running: boolean;
  /** What fetchmail said when it does not understand it; '' when it does. */
  readonly complaint: string;
  readonly found: readonly FoundQuery[];
  /** Where it says that seen mail is remembered; '' for the usual place. */
  readonly idFile: string;
}

function fileOf({ root }: Paths): string {
  return `${root}/etc/fetchmailrc`;
}

/** Null when there is none, or nothing that could read it. */
export async function readFetchmailrc(paths: Paths): Promise<Fetchmailrc | null> {
  const file = fileOf(paths);
  const text = await readRegular(file);
  if (text === null || !existsSync(FETCHMAIL)) return null;
  const digest = createHash('sha256').update(text).digest('hex');
  const base = { file, digest, running: (await runningIn(paths)) !== null };
  const { code, stdout, stderr } = await dump(text);
  if (code !== 0) return { ...base, complaint: stderr, found: [], idFile: '' };
  try {
    const config = parseConfigDump(stdout);
    return {
      ...base,
      complaint: '',
      found: queriesIn(config, FETCH_USER),
      idFile: idFileOf(config),
    };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { ...base, complaint: error.message, found: [], idFile: '' };
  }
}

/**
 * Ends the old daemon and puts its file aside, beside where it was, so that nothing starts it again. Throws a
 * `HelperError` when the file is another one by now, or the daemon does not end: then both are as they were.
 */
export async function retireFetchmailrc(paths: Paths, digest: string): Promise<string> {
  const present = await readFetchmailrc(paths);
  if (present === null || present.digest !== digest) throw failed('takeover.error.meanwhile');
  const aside = `${present.file}.taken-over`;
  await rename(present.file, aside);
  await syncFolder(`${paths.root}/etc`);
  if (await stopDaemon(paths)) return aside;
  await rename(aside, present.file);
  throw failed('takeover.fetchmail.notStopped');
}

/** What the old one had seen of a mailbox, as lines of its file of these (fetchmail(1), --idfile). */
export async function seenBefore(
  paths: Paths,
  { idFile }: Pick<Fetchmailrc, 'idFile'>,
  seenAs: string,
): Promise<string> {
  const files = [...(idFile === '' ? [] : [idFile]), ...ID_FILES].map((name) => paths.root + name);
  for (const file of files) {
    const text = (await readRegular(file)) ?? '';
    const lines = text.split('\n').filter((line) => line.startsWith(`${seenAs} `));
    if (lines.length > 0) return lines.map((line) => `${line}\n`).join('');
  }
  return '';
}

/** Through stdin: so it matters neither who owns the file, nor what its passwords would do on a command line. */
function dump(text: string) {
  const as = ['--reuid', FETCH_USER, '--regid', FETCH_USER, '--clear-groups', '--no-new-privs'];
  return runNative(SETPRIV, [...as, '--', FETCHMAIL, '-f', '-', '--configdump'], {
    input: text,
    environment: { PATH: '/usr/bin:/bin', LC_ALL: 'C', HOME: '/' },
  });
}

function idFileOf(config: { readonly [name: string]: Dumped }): string {
  const { idfile } = config;
  return typeof idfile === 'string' && idfile !== DEFAULT_ID_FILE ? idfile : '';
}

/** Null for what is no file, or too large. */
async function readRegular(file: string): Promise<string | null> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      if (!stats.isFile() || stats.size > MAX_FILE_BYTES) return null;
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR') || hasCode(error, 'ENXIO'))
      return null;
    throw error;
  }
}

/** The process of the old daemon; null when there is none. */
async function runningIn({ root }: Paths): Promise<number | null> {
  for (const name of PID_FILES) {
    const pid = Number((await readFile(root + name, 'utf8').catch(() => '')).trim().split(/\s/)[0]);
    if (!Number.isInteger(pid) || pid <= 1) continue;
    const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    if (command.trim() === 'fetchmail') return pid;
  }
  return null;
}

async function stopDaemon(paths: Paths): Promise<boolean> {
  const pid = await runningIn(paths);
  if (pid === null) return true;
  process.kill(pid, 'SIGTERM');
  const end = Date.now() + STOP_LIMIT_MS;
  while ((await runningIn(paths)) === pid) {
    if (Date.now() > end) return false;
    await sleep(LOOK_AGAIN_MS);
  }
  return true;
}

function failed(key: string): HelperError {
  return new HelperError({ stage: 'run', key, values: {}, detail: '', restored: true });
}
