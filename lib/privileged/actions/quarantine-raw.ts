/** `quarantine-raw`: one mail that was kept back, with what the filter wrote in front of it, streamed in base64. */
import { isQuarantineId } from '../../quarantine/schema.js';
import { QuarantineFolder } from '../quarantine/folder.js';
import { defineAction, plainParams } from './action.js';

/** As long as a slow download may take, in milliseconds. */
const RAW_TIMEOUT_MS = 60 * 60 * 1000;

export const quarantineRawAction = defineAction({
  changes: 'never',
  timeoutMs: RAW_TIMEOUT_MS,
  params: plainParams<{ id: string }>({ id: isQuarantineId }),
  redact: ({ id }) => ({ id }),
  /** `found` is false when it has gone. */
  run: async ({ id }, { paths, signal, progress, taken }) => {
    const folder = await QuarantineFolder.open(paths);
    if (folder === null) return { found: false, bytes: 0 };
    try {
      if ((await folder.find(id)) === null) return { found: false, bytes: 0 };
      let bytes = 0;
      for await (const chunk of folder.content(id)) {
        if (signal.aborted) break;
        bytes += chunk.length;
        progress({ done: bytes, total: null, row: chunk.toString('base64') });
        await taken();
      }
      return { found: true, bytes };
    } finally {
      await folder.close();
    }
  },
});
