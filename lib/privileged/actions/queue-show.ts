/** `queue-show`: one message with its envelope, its reasons, the beginning of its content and its lines in the log. */
import { lstatSync } from 'node:fs';
import { isQueueId } from '../../queue/id.js';
import { MAX_SHOWN_BYTES, type LookedAt } from '../../queue/schema.js';
import { locate } from '../queue/directory.js';
import { readLogLines } from '../queue/log-lines.js';
import { readContent, readEnvelope } from '../queue/message.js';
import { readQueueSettings } from '../queue/schedule.js';
import { defineAction, plainParams } from './action.js';

export const queueShowAction = defineAction({
  timeoutMs: 60_000,
  changes: 'never',
  params: plainParams<{ id: string }>({ id: (id) => typeof id === 'string' && isQueueId(id) }),
  redact: ({ id }) => ({ id }),
  run: async ({ id }, { paths }): Promise<LookedAt> => {
    const place = locate(paths.queueDir, id);
    const file = place === null ? undefined : lstatSync(place.path, { throwIfNoEntry: false });
    if (place === null || file === undefined)
      return { message: null, log: await readLogLines(paths, id) };
    const [envelope, content, log, { schedule }] = await Promise.all([
      readEnvelope(paths, id),
      readContent(paths, id, MAX_SHOWN_BYTES).catch(() => null),
      readLogLines(paths, id),
      readQueueSettings(paths),
    ]);
    // A message can go while it is looked at.
    if (envelope === null || content === null) return { message: null, log };
    const message = {
      id,
      queue: place.queue,
      nextTry: place.queue === 'deferred' ? Math.floor(file.mtimeMs / 1000) : 0,
      envelope,
      head: content.head.toString('base64'),
      bytes: content.bytes,
      later: content.later,
      schedule,
    };
    return { message, log };
  },
});
