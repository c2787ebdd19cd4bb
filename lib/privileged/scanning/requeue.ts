/**
 * Mail that was taken while it was scanned has the way to the scanners in its queue file, and would wait for ever once there
 * is none. Queued anew it goes the way that holds now (FILTER_README). What somebody holds stays held: postsuper(1) would
 * send it off with the rest.
 */
import { openSync, readSync, closeSync } from 'node:fs';
import { isQueueId } from '../../queue/id.js';
import { QUEUES } from '../../queue/schema.js';
import { SCAN_TRANSPORT } from '../../security/section.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { filesIn } from '../queue/directory.js';

/** The filter stands among the first records of a queue file, before any recipient. In bytes. */
const HEAD_BYTES = 4_096;
const MARK = Buffer.from(`${SCAN_TRANSPORT}:[`);
/** How long it may take, in milliseconds: thousands may wait. */
const REQUEUE_TIMEOUT_MS = 120_000;

/** Resolves with how many there were. */
export async function requeueScanned(paths: Paths): Promise<number> {
  const ids = QUEUES.filter((queue) => queue !== 'hold')
    .flatMap((queue) => filesIn(`${paths.queueDir}/${queue}`))
    .filter(({ id, path }) => isQueueId(id) && isMarked(path))
    .map(({ id }) => id);
  if (ids.length === 0) return 0;
  await runNative('/usr/sbin/postsuper', ['-c', paths.configDir, '-r', '-'], {
    input: ids.map((id) => `${id}\n`),
    timeoutMs: REQUEUE_TIMEOUT_MS,
  });
  // pickup(8) would look by itself within a minute.
  await runNative('/usr/sbin/postkick', ['-c', paths.configDir, 'public', 'pickup', 'W']);
  return ids.length;
}

/** One that has left meanwhile needs nothing. */
function isMarked(path: string): boolean {
  try {
    const file = openSync(path, 'r');
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      return head.subarray(0, readSync(file, head, 0, HEAD_BYTES, 0)).includes(MARK);
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}
