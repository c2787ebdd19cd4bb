/** `queue-list`: the queue in Postfix' own order, streamed in batches of rows, ended early at the limit. */
import Joi from 'joi';
import { HelperError } from '../../errors.js';
import { countQueues } from '../queue/directory.js';
import { streamListing } from '../queue/listing.js';
import { readQueueSettings } from '../queue/schedule.js';
import { defineAction } from './action.js';

/** Exit status of postqueue(1) when it cannot reach the queue (sysexits.h, EX_UNAVAILABLE). */
const SUCCESS = 0;

export const queueListAction = defineAction({
  quiet: true,
  timeoutMs: 600_000,
  params: Joi.object<{ limit: number | null }>({
    limit: Joi.number().integer().min(1).max(1_000_000).allow(null).required(),
  }),
  run: async ({ limit }, { paths, signal, progress, taken }) => {
    const settings = readQueueSettings(paths);
    settings.catch(() => undefined);
    let done = 0;
    const end = await streamListing(paths, {
      limit,
      signal,
      onRows: async (rows) => {
        done += rows.length;
        progress({ done, total: null, row: rows });
        await taken();
      },
    });
    if (!end.cut && end.code !== SUCCESS) {
      throw new HelperError({
        stage: 'run',
        key: 'helper.queue.list',
        values: {},
        detail: end.complaint,
        restored: true,
      });
    }
    const counts = countQueues(paths.queueDir);
    return { counts, ...(await settings), unreadable: end.unreadable, cut: end.cut };
  },
});
