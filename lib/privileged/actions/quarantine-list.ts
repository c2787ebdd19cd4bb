/** `quarantine-list`: all mail that was kept back, the newest first, streamed in batches. */
import { MAX_LISTED, type QuarantineRow } from '../../quarantine/schema.js';
import { QuarantineFolder } from '../quarantine/folder.js';
import { defineAction, plainParams } from './action.js';

const BATCH_ROWS = 100;

export const quarantineListAction = defineAction({
  changes: 'never',
  timeoutMs: 120_000,
  params: plainParams<Record<never, never>>({}),
  run: async (_params, { paths, signal, progress, taken }) => {
    const folder = await QuarantineFolder.open(paths);
    if (folder === null) return { total: 0, leftOut: 0 };
    try {
      const files = await folder.files();
      let batch: QuarantineRow[] = [];
      const hand = async (done: number): Promise<void> => {
        progress({ done, total: files.length, row: batch });
        batch = [];
        await taken();
      };
      for (const [at, file] of files.slice(0, MAX_LISTED).entries()) {
        if (signal.aborted) break;
        const row = await folder.row(file);
        if (row !== null) batch.push(row);
        if (batch.length >= BATCH_ROWS) await hand(at + 1);
      }
      if (batch.length > 0) await hand(files.length);
      return { total: files.length, leftOut: Math.max(0, files.length - MAX_LISTED) };
    } finally {
      await folder.close();
    }
  },
});
