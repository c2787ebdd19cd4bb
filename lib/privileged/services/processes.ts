/**
 * The processes of a running Postfix: its master, and the workers that take mail in and send it on its way. A worker reads
 * main.cf when it starts only. At a reload master(8) tells it to end and does not wait until it has: one that is still
 * there may take a mail by the old configuration.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Paths } from '../paths.js';

const WORKERS = new Set(['smtpd', 'pickup', 'cleanup', 'trivial-rewrite', 'qmgr']);
const LOOK_AGAIN_MS = 5;

/** The process in Postfix' pid file when it is a master(8), else null; a thirtieth of what `postfix status` costs. */
export async function masterPid(paths: Paths): Promise<number | null> {
  try {
    const pid = (await readFile(`${paths.queueDir}/pid/master.pid`, 'utf8')).trim();
    if (!/^\d+$/.test(pid)) return null;
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    // One that has ended and that nobody has asked about yet is still there, as `Z` (proc(5)).
    return /^\d+ \(master\) [^ZX]/.test(status) ? Number(pid) : null;
  } catch {
    return null;
  }
}

/** Process ids; none where Postfix does not run, or the kernel does not list a process' children (proc(5)). */
export async function workersOf(paths: Paths): Promise<readonly string[]> {
  const named = await Promise.all(
    (await childrenOf(paths)).map(async (pid) => ({
      pid,
      name: await textOf(`/proc/${pid}/comm`),
    })),
  );
  return named.filter(({ name }) => WORKERS.has(name.trim())).map(({ pid }) => pid);
}

/** Waits until all of these have ended, so many milliseconds at most: one that serves somebody ends when it has done so. */
export async function waitForEnd(
  paths: Paths,
  workers: readonly string[],
  limitMs: number,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const now = new Set(await childrenOf(paths));
    if (Date.now() > deadline || !workers.some((pid) => now.has(pid))) return;
    await pause(LOOK_AGAIN_MS);
  }
}

async function childrenOf(paths: Paths): Promise<readonly string[]> {
  const master = await masterPid(paths);
  if (master === null) return [];
  const children = await textOf(`/proc/${master}/task/${master}/children`);
  return children.split(' ').filter((pid) => pid !== '');
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return '';
  }
}
