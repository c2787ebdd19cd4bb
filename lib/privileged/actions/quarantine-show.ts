/** `quarantine-show`: the beginning of one mail that was kept back, as it came. */
import { isQuarantineId, MAX_SHOWN_BYTES, type ShownQuarantine } from '../../quarantine/schema.js';
import { startOfMail } from '../../quarantine/header.js';
import { QuarantineFolder } from '../quarantine/folder.js';
import { PartFinder } from '../queue/part-finder.js';
import { defineAction, plainParams } from './action.js';

export const quarantineShowAction = defineAction({
  changes: 'never',
  timeoutMs: 60_000,
  params: plainParams<{ id: string }>({ id: isQuarantineId }),
  redact: ({ id }) => ({ id }),
  /** Null when it has gone. */
  run: async ({ id }, { paths }): Promise<ShownQuarantine | null> => {
    const folder = await QuarantineFolder.open(paths);
    if (folder === null) return null;
    try {
      const file = await folder.find(id);
      const row = file === null ? null : await folder.row(file);
      if (row === null) return null;
      const head: Buffer[] = [];
      const parts = new PartFinder(MAX_SHOWN_BYTES);
      let skip: number | null = null;
      let bytes = 0;
      for await (const chunk of folder.content(id)) {
        // What the filter wrote stands within the first piece.
        skip ??= startOfMail(chunk);
        const piece: Buffer = bytes === 0 ? chunk.subarray(skip) : chunk;
        if (bytes < MAX_SHOWN_BYTES) head.push(piece.subarray(0, MAX_SHOWN_BYTES - bytes));
        parts.look(piece);
        bytes += piece.length;
      }
      return { row, head: Buffer.concat(head).toString('base64'), bytes, later: parts.finish() };
    } finally {
      await folder.close();
    }
  },
});
