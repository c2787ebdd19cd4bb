/** How much memory the machine has. */
import { readFile } from 'node:fs/promises';

/** Bytes. */
export interface Memory {
  readonly total: number;
  /** What programs could still get. */
  readonly available: number;
}

/** Null where the machine does not say (proc(5)). */
export async function readMemory(): Promise<Memory | null> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const of = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024;
  const [total, available] = [of('MemTotal'), of('MemAvailable')];
  return total > 0 ? { total, available } : null;
}
