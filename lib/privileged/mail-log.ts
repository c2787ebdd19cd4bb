/** What Postfix has logged since a moment: in its log file, or in the machine's journal where there is none. */
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { runNative } from './native.js';
import type { Paths } from './paths.js';
import type { ConfigView } from './postfix/config-view.js';

const JOURNALCTL = '/usr/bin/journalctl';
/** How much of what is new is read at most, in bytes. */
const MAX_NEW_BYTES = 16 * 1024 * 1024;

export interface MailLog {
  /** All lines since the log was opened. A log that was rotated meanwhile is read from its beginning. */
  lines(): Promise<readonly string[]>;
}

/** Opens the log at its present end; null when there is none that could be read. */
export async function openMailLog(
  view: Pick<ConfigView, 'parameter'>,
  paths: Paths,
): Promise<MailLog | null> {
  const own = view.parameter('maillog_file');
  const file = own.startsWith('/') ? own : paths.mailLog;
  if (existsSync(file)) return openFile(file);
  if (paths.root !== '' || !existsSync(JOURNALCTL)) return null;
  const since = `@${Math.floor(Date.now() / 1000)}`;
  return { lines: () => readJournal(since) };
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
