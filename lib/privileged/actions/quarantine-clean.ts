/** `quarantine-clean`: deletes mail that was kept back longer than so many days. */
import { KEEP_DAYS } from '../../quarantine/schema.js';
import { QuarantineFolder } from '../quarantine/folder.js';
import { defineAction, plainParams } from './action.js';

const DAY_S = 86_400;

export const quarantineCleanAction = defineAction({
  timeoutMs: 600_000,
  changes: 'told',
  params: plainParams<{ days: number }>({
    days: (value) => KEEP_DAYS.some((days) => days === value),
  }),
  redact: (params) => params,
  run: async ({ days }, { paths, signal, changing }) => {
    const folder = await QuarantineFolder.open(paths);
    if (folder === null) return { removed: 0 };
    try {
      const border = Math.floor(Date.now() / 1000) - days * DAY_S;
      const old = (await folder.files()).filter(({ at }) => at < border);
      if (old.length > 0) await changing();
      let removed = 0;
      for (const { id } of old) {
        if (signal.aborted) break;
        if (await folder.remove(id)) removed += 1;
      }
      return { removed };
    } finally {
      await folder.close();
    }
  },
});
