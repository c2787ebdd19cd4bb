/** A helper that was stopped half way (see `faults.ts`), found by its process. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { PostfixRoot } from './postfix-root.js';

/** The helper of this root that is stopped, as the kernel says (proc_pid_stat(5)); null when none is. */
export async function stoppedHelper({ places }: PostfixRoot): Promise<number | null> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const arguments_ = await readFile(path.join('/proc', pid, 'cmdline'), 'utf8').catch(() => '');
    const [program = '', main = '', ...rest] = arguments_.split('\0');
    if (program !== process.execPath || !main.endsWith('/main.js')) continue;
    if (rest.includes(places.root) && /[tT]/.test(await stateOf(Number(pid)))) return Number(pid);
  }
  return null;
}

async function stateOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
}

export async function hasEnded(pid: number): Promise<boolean> {
  return /^Z?$/.test(await stateOf(pid));
}
