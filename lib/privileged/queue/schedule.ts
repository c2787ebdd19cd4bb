/** How long and how often Postfix tries, and the room it needs, from its effective parameters. */
import { statfs } from 'node:fs/promises';
import type { QueueDisk, QueueSchedule } from '../../queue/schema.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';

const POSTCONF = '/usr/sbin/postconf';

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Parameters in the order they are asked; a time without a unit counts in the given one (postconf(5)). */
const TIMES = [
  ['maximal_queue_lifetime', 'd', 5],
  ['bounce_queue_lifetime', 'd', 5],
  ['minimal_backoff_time', 's', 300],
  ['maximal_backoff_time', 's', 4000],
  ['queue_run_delay', 's', 300],
] as const;
const SIZES = ['queue_minfree', 'message_size_limit'] as const;

/** smtpd(8) wants this much free room for every byte a message may have. */
const FREE_PER_MESSAGE_BYTE = 1.5;

export interface QueueSettings {
  readonly schedule: QueueSchedule;
  readonly disk: QueueDisk;
}

/** A value that cannot be read counts as Postfix' default: the page must not fail on it. */
export async function readQueueSettings(paths: Paths): Promise<QueueSettings> {
  const names = [...TIMES.map(([name]) => name), ...SIZES];
  const [asked, room] = await Promise.all([
    runNative(POSTCONF, ['-c', paths.configDir, '-x', '-h', ...names]),
    statfs(paths.queueDir).catch(() => null),
  ]);
  const values = asked.stdout.split('\n');
  const [lifetime, bounceLifetime, minimal, maximal, runDelay] = TIMES.map(
    ([, unit, fallback], at) => parseTime(values[at] ?? '', unit) ?? fallback * (UNITS[unit] ?? 1),
  ) as [number, number, number, number, number];
  const minFree = Number(values[TIMES.length]) || 0;
  const messageLimit = Number(values[TIMES.length + 1]) || 0;
  return {
    schedule: {
      maximalQueueLifetime: lifetime,
      bounceQueueLifetime: bounceLifetime,
      minimalBackoff: minimal,
      maximalBackoff: maximal,
      queueRunDelay: runDelay,
    },
    disk: {
      free: room === null ? 0 : room.bavail * room.bsize,
      total: room === null ? 0 : room.blocks * room.bsize,
      needed: Math.max(minFree, Math.round(messageLimit * FREE_PER_MESSAGE_BYTE)),
    },
  };
}

/** `5d`, `300s`, `4000` as seconds; null when it is no time. */
export function parseTime(text: string, defaultUnit: string): number | null {
  const match = /^(\d{1,9})([smhdw]?)$/.exec(text.trim());
  if (!match) return null;
  return Number(match[1]) * (UNITS[match[2] || defaultUnit] ?? 1);
}
