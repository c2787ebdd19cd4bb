/** `queue-list`: a picture of the queue in Postfix' own order, streamed in pieces, ended early at the limit. */
import { HelperError } from '../../errors.js';
import { Picture } from '../../queue/picture.js';
import { QUEUES, type QueueRow } from '../../queue/schema.js';
import { countQueues } from '../queue/directory.js';
import { streamListing } from '../queue/listing.js';
import { readQueueSettings } from '../queue/schedule.js';
import { defineAction, plainParams } from './action.js';

/** Characters of texts after which a piece is handed over. */
const PIECE_LENGTH = 256 * 1024;
/** What a message counts for beside its texts. */
const ROW_LENGTH = 64;

/** Exit status of postqueue(1) when it cannot reach the queue (sysexits.h, EX_UNAVAILABLE). */
const SUCCESS = 0;

export const queueListAction = defineAction({
  quiet: true,
  timeoutMs: 600_000,
  params: plainParams<{ limit: number | null; wholeUpTo: number }>({
    limit: (limit) => limit === null || (Number.isSafeInteger(limit) && Number(limit) > 0),
    /** With no more messages than these there is no limit. */
    wholeUpTo: (most) => Number.isSafeInteger(most) && Number(most) >= 0,
  }),
  run: async ({ limit, wholeUpTo }, { paths, signal, progress, taken }) => {
    const picture = new Picture();
    let pending = 0;
    let leftOut = 0;
    /** Mail that is put off while the queue is listed would be listed twice. */
    const seen = new Set<string>();
    const hand = async (): Promise<void> => {
      pending = 0;
      progress({
        done: picture.rows + leftOut,
        total: null,
        row: picture.takePiece().toString('base64'),
      });
      await taken();
    };
    const settings = readQueueSettings(paths);
    settings.catch(() => undefined);
    let waiting = Number.POSITIVE_INFINITY;
    const listing = streamListing(paths, {
      limit,
      enough: () => (waiting <= wholeUpTo ? null : limit),
      signal,
      onRows: async (rows) => {
        for (const row of rows) {
          if (seen.has(row.id)) continue;
          if (row.queue !== 'deferred') seen.add(row.id);
          if (picture.add(row)) pending += lengthOf(row);
          else leftOut += 1;
          if (pending > PIECE_LENGTH) await hand();
        }
      },
    });
    listing.catch(() => undefined);
    // While Postfix begins to list.
    const counts = countQueues(paths.queueDir);
    waiting = QUEUES.reduce((sum, queue) => sum + counts[queue], 0);
    const end = await listing;
    if (!end.cut && end.code !== SUCCESS) {
      throw new HelperError({
        stage: 'run',
        key: 'helper.queue.list',
        values: {},
        detail: end.complaint,
        restored: true,
      });
    }
    if (pending > 0) await hand();
    const { unreadable, cut } = end;
    return { counts, ...(await settings), unreadable, cut, leftOut };
  },
});

function lengthOf({ recipients }: QueueRow): number {
  return recipients.reduce(
    (sum, [address, reason]) => sum + address.length + reason.length,
    ROW_LENGTH,
  );
}
