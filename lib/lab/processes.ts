/** Finds and ends what runs in a lab, whoever started it. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Places } from '../launch/places.js';

/** How long the processes of a lab have to end after SIGTERM before they are killed, in milliseconds. */
const END_LIMIT_MS = 10_000;
/** How long they may then take to be gone, in milliseconds. */
const KILL_LIMIT_MS = 10_000;
const LOOK_AGAIN_MS = 50;

/** What makes a process one of a lab: the /etc/passwd it sees. Null for a folder that was never one. */
export type LabIdentity = string | null;

/** Take it while the folder is there. No list of process ids would still be right after a crash or a restart. */
export async function identifyLab(places: Places): Promise<LabIdentity> {
  return fileIdentity(`${places.root}/etc/passwd`);
}

/** The ids of all processes of the lab, asked from outside of it. */
export async function labProcesses(lab: LabIdentity): Promise<number[]> {
  if (lab === null) return [];
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const seen = await Promise.all(
    ids.map(async (pid) => {
      const belongs = (await fileIdentity(`/proc/${pid}/root/etc/passwd`)) === lab;
      return belongs && !(await isZombie(pid)) ? pid : null;
    }),
  );
  return seen.filter((pid) => pid !== null);
}

/** Ends every process of the lab: asked first, killed when it does not listen. */
export async function endLabProcesses(lab: LabIdentity): Promise<void> {
  signalAll(await labProcesses(lab), 'SIGTERM');
  if (await allGone(lab, END_LIMIT_MS)) return;
  signalAll(await labProcesses(lab), 'SIGKILL');
  if (await allGone(lab, KILL_LIMIT_MS)) return;
  throw new Error(`these processes of the lab do not end: ${(await labProcesses(lab)).join(' ')}`);
}

async function allGone(lab: LabIdentity, limitMs: number): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  while ((await labProcesses(lab)).length > 0) {
    if (Date.now() > deadline) return false;
    await pause(LOOK_AGAIN_MS);
  }
  return true;
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended meanwhile.
    }
  }
}

async function fileIdentity(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(path);
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

async function isZombie(pid: number): Promise<boolean> {
  try {
    return /\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}
