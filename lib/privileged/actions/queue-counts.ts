/** `queue-counts`: how many messages wait where, and the room they have. Opens no message. */
import { countQueues } from '../queue/directory.js';
import { readQueueSettings } from '../queue/schedule.js';
import { defineAction, plainParams } from './action.js';

export const queueCountsAction = defineAction({
  quiet: true,
  timeoutMs: 30_000,
  params: plainParams<object>({}),
  run: async (_params, { paths }) => {
    const settings = readQueueSettings(paths);
    const counts = countQueues(paths.queueDir);
    return { counts, ...(await settings) };
  },
});
