/** The lines of the mail log that name one message, the newest last. Reads from the end, and not all of a large log. */
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { MAX_LOG_LINES } from '../../queue/schema.js';
import { runNative } from '../native.js';
import { JOURNALCTL, mailLogFile } from '../mail-log.js';
import { POSTCONF } from '../postfix/config-view.js';
import type { Paths } from '../paths.js';

/** How much of the log is searched, from its end, in bytes. */
const MAX_SEARCHED_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 4 * 1024 * 1024;
const MAX_LINE_LENGTH = 2_000;
/** Our own probe's lines are no mail. */
const PROBE = 'mailserver-probe';

/** Looks in the instance's log file, else in the journal of the machine. */
export async function readLogLines(paths: Paths, id: string): Promise<readonly string[]> {
  const named = await runNative(POSTCONF, ['-c', paths.configDir, '-h', 'maillog_file']);
  const log = await mailLogFile(paths, named.stdout.trim());
  if (log !== null) {
    const file = await open(log, 'r');
    try {
      return await searchFile(file, id);
    } finally {
      await file.close();
    }
  }
  return paths.root === '' && existsSync(JOURNALCTL) ? searchJournal(id) : [];
}

async function searchFile(file: FileHandle, id: string): Promise<readonly string[]> {
  const { size } = await file.stat();
  const stop = Math.max(0, size - MAX_SEARCHED_BYTES);
  const needle = Buffer.from(id, 'latin1');
  const found: string[][] = [];
  let count = 0;
  let tail = Buffer.alloc(0);
  for (let end = size; end > stop && count < MAX_LOG_LINES;) {
    const start = Math.max(stop, end - CHUNK_BYTES);
    const chunk = Buffer.alloc(end - start);
    await file.read(chunk, 0, chunk.length, start);
    const text = Buffer.concat([chunk, tail]);
    const first = start === 0 ? 0 : text.indexOf(10) + 1;
    tail = text.subarray(0, first);
    const lines = linesWith(text.subarray(first), needle, id);
    found.unshift(lines);
    count += lines.length;
    end = start;
  }
  return found.flat().slice(-MAX_LOG_LINES);
}

function linesWith(text: Buffer, needle: Buffer, id: string): string[] {
  const lines: string[] = [];
  for (let at = text.indexOf(needle); at >= 0;) {
    const start = text.lastIndexOf(10, at) + 1;
    const newline = text.indexOf(10, at);
    const end = newline < 0 ? text.length : newline;
    const line = text.subarray(start, Math.min(end, start + MAX_LINE_LENGTH)).toString('utf8');
    if (names(line, id)) lines.push(line);
    at = text.indexOf(needle, end);
  }
  return lines;
}

/** Whether the id stands in the line by itself, not inside another id. */
function names(line: string, id: string): boolean {
  return new RegExp(`(?<![0-9A-Za-z])${id}(?![0-9A-Za-z])`).test(line) && !line.includes(PROBE);
}

async function searchJournal(id: string): Promise<readonly string[]> {
  const { code, stdout } = await runNative(
    JOURNALCTL,
    [
      '--quiet',
      '--no-pager',
      '--output=short',
      '--facility=mail',
      `--grep=${id}`,
      `--case-sensitive=yes`,
      `--lines=${String(MAX_LOG_LINES)}`,
    ],
    { timeoutMs: 10_000 },
  );
  if (code !== 0) return [];
  return stdout
    .split('\n')
    .filter((line) => names(line, id))
    .map((line) => line.slice(0, MAX_LINE_LENGTH));
}
