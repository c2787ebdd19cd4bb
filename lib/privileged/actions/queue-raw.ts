/** `queue-raw`: the whole content of one message as it lies in the queue, streamed in base64. */
import { isQueueId } from '../../queue/id.js';
import { locate } from '../queue/directory.js';
import { streamContent } from '../queue/message.js';
import { defineAction, plainParams } from './action.js';

/** `postcat` prints a few kilobytes at a time; so many are handed over together. */
const PIECE_BYTES = 192 * 1024;
/** As long as a slow download may take. */
const RAW_TIMEOUT_MS = 60 * 60 * 1000;

export const queueRawAction = defineAction({
  timeoutMs: RAW_TIMEOUT_MS,
  changes: 'never',
  params: plainParams<{ id: string }>({ id: (id) => typeof id === 'string' && isQueueId(id) }),
  redact: ({ id }) => ({ id }),
  /** `found` is false when the message has left the queue. */
  run: async ({ id }, { paths, signal, progress, taken }) => {
    if (locate(paths.queueDir, id) === null) return { found: false, bytes: 0 };
    let bytes = 0;
    let pending: Buffer[] = [];
    let pendingBytes = 0;
    const hand = async (): Promise<void> => {
      const piece = Buffer.concat(pending);
      pending = [];
      pendingBytes = 0;
      bytes += piece.length;
      progress({ done: bytes, total: null, row: piece.toString('base64') });
      await taken();
    };
    for await (const chunk of streamContent(paths, id, signal)) {
      pending.push(chunk);
      pendingBytes += chunk.length;
      if (pendingBytes >= PIECE_BYTES) await hand();
    }
    if (pendingBytes > 0) await hand();
    return { found: true, bytes };
  },
});
