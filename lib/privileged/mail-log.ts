/** What Postfix has logged since a moment: in its log file, or in the machine's journal where there is none. */
import { existsSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { uptime } from 'node:os';
import { hasCode } from './files.js';
import { runNative } from './native.js';
import type { Paths } from './paths.js';
import type { ConfigView } from './postfix/config-view.js';

export const JOURNALCTL = '/usr/bin/journalctl';
/** How much of what is new is read at most, in bytes. */
const MAX_NEW_BYTES = 16 * 1024 * 1024;

export interface MailLog {
  /** All lines since the log was opened. A log that was rotated meanwhile is read from its beginning. */
  lines(): Promise<readonly string[]>;
}

/**
 * The file that Postfix' lines are in; null when they are in the journal. A file that main.cf does not name counts only
 * when something was written to it since the machine was booted: rsyslog leaves its last one behind when it is removed.
 */
export async function mailLogFile(
  { root, mailLog }: Pick<Paths, 'root' | 'mailLog'>,
  named: string,
  hasJournal = root === '' && existsSync(JOURNALCTL),
): Promise<string | null> {
  const file = named.startsWith('/') ? named : mailLog;
  try {
    const { mtimeMs } = await stat(file);
    const current = file === named || mtimeMs >= Date.now() - uptime() * 1000;
    return current || !hasJournal ? file : null;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** Opens the log at its present end; null when there is none that could be read. */
export async function openMailLog(
  view: Pick<ConfigView, 'parameter'>,
  paths: Paths,
): Promise<MailLog | null> {
  const file = await mailLogFile(paths, view.parameter('maillog_file'));
  if (file !== null) return openFile(file);
  if (paths.root !== '' || !existsSync(JOURNALCTL)) return null;
  const since = `@${Math.floor(Date.now() / 1000)}`;
  return { lines: () => readJournal(since) };
}

/** The same for what amavis writes: with Postfix' lines on a machine, in a file of its own in a private root. */
export async function openScannerLog(
  view: Pick<ConfigView, 'parameter'>,
  paths: Paths,
): Promise<MailLog | null> {
  if (paths.root === '') return openMailLog(view, paths);
  const file = `${paths.root}/var/log/amavis.log`;
  return existsSync(file) ? openFile(file) : null;
}

async function openFile(file: string): Promise<MailLog> {
  const start = await sizeOf(file);
  return {
    lines: async () => {
      const handle = await open(file, 'r');
      try {
        const { size } = await handle.stat();
        const from = size < start ? 0 : start;
        const bytes = Buffer.alloc(Math.min(size - from, MAX_NEW_BYTES));
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, from);
        return bytes.toString('utf8', 0, bytesRead).split('\n');
      } finally {
        await handle.close();
      }
    },
  };
}

async function sizeOf(file: string): Promise<number> {
  const handle = await open(file, 'r');
  try {
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

async function readJournal(since: string): Promise<readonly string[]> {
  const options = ['--quiet', '--no-pager', '--output=short', '--facility=mail'];
  const answer = await runNative(JOURNALCTL, [...options, `--since=${since}`]);
  return answer.stdout.split('\n');
}
