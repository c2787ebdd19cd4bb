/** `queue-raw`: the whole content of one message as it lies in the queue, streamed in base64. */
import { isQueueId } from '../../queue/id.js';
import { locate } from '../queue/directory.js';
import { streamContent } from '../queue/message.js';
import { defineAction, plainParams } from './action.js';

/** As long as a slow download may take. */
const RAW_TIMEOUT_MS = 60 * 60 * 1000;

export const queueRawAction = defineAction({
  timeoutMs: RAW_TIMEOUT_MS,
  params: plainParams<{ id: string }>({ id: (id) => typeof id === 'string' && isQueueId(id) }),
  redact: ({ id }) => ({ id }),
  /** `found` is false when the message has left the queue. */
  run: async ({ id }, { paths, signal, progress, taken }) => {
    if (locate(paths.queueDir, id) === null) return { found: false, bytes: 0 };
    let bytes = 0;
    for await (const chunk of streamContent(paths, id, signal)) {
      bytes += chunk.length;
      progress({ done: bytes, total: null, row: chunk.toString('base64') });
      await taken();
    }
    return { found: true, bytes };
  },
});
