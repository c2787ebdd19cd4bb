import type { SettingsSource } from '../changes/change.js';
import type { ExceptionSettings } from './schema.js';
import { EXCEPTIONS_TABLE, readAllExceptions } from './store.js';

/** The exceptions that are switched on are the section's settings. */
export const exceptionsSource: SettingsSource = {
  section: 'exceptions',
  tables: { [EXCEPTIONS_TABLE]: { secrets: [] } },
  collect: async (db): Promise<ExceptionSettings> => ({
    values: (await readAllExceptions(db))
      .filter(({ enabled }) => enabled)
      .map(({ value }) => value),
  }),
};
