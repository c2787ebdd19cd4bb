/** `queue-act`: does one thing with the messages whose ids follow as items; tells its progress; can be cancelled. */
import Joi from 'joi';
import { HelperError } from '../../errors.js';
import { isQueueId } from '../../queue/id.js';
import { MAX_ACT_IDS, MAX_ITEM_IDS, QUEUE_ACTIONS, type QueueAction } from '../../queue/schema.js';
import { flush, supervise } from '../queue/supervise.js';
import { defineAction } from './action.js';

/** How often progress is told, in milliseconds. */
const PROGRESS_MS = 200;

/** 500,000 messages at the pace of a slow disk. */
const ACT_TIMEOUT_MS = 2 * 60 * 60 * 1000;

export const queueActAction = defineAction({
  timeoutMs: ACT_TIMEOUT_MS,
  changes: 'told',
  params: Joi.object<{ action: QueueAction; everything?: boolean }>({
    action: Joi.string()
      .valid(...QUEUE_ACTIONS)
      .required(),
    /** Tries all deferred mail at once, in one go; no ids follow. */
    everything: Joi.boolean().when('action', { not: 'deliver', then: Joi.forbidden() }),
  }),
  redact: ({ action, everything = false }) => ({ action, everything }),
  run: async ({ action, everything = false }, { paths, items, signal, progress, changing }) => {
    if (everything) return flush(paths, changing);
    const ids = await readIds(items);
    let told = 0;
    return supervise(paths, action, ids, {
      signal,
      changing,
      onSettled: (done) => {
        const now = performance.now();
        if (now - told < PROGRESS_MS) return;
        told = now;
        progress({ done, total: ids.size });
      },
    });
  },
});

/** All ids, checked before anything is done with one. */
async function readIds(items: AsyncIterable<unknown>): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for await (const item of items) {
    if (!Array.isArray(item) || item.length > MAX_ITEM_IDS) throw refused('ids');
    for (const id of item as readonly unknown[]) {
      if (typeof id !== 'string' || !isQueueId(id)) throw refused('ids');
      ids.add(id);
    }
    if (ids.size > MAX_ACT_IDS) throw refused('ids');
  }
  return ids;
}

function refused(detail: string): HelperError {
  const key = 'helper.validate.params';
  return new HelperError({ stage: 'validate', key, values: {}, detail, restored: true });
}
