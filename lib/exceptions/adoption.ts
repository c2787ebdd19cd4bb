/** A new database takes over the exceptions that are in force on the machine. */
import { adoptRows } from '../changes/adoption.js';
import type { ExceptionSettings } from './schema.js';
import { countExceptions, insertExceptions, type ExceptionValues } from './store.js';

export const adoptExceptions = adoptRows<ExceptionValues>({
  section: 'exceptions',
  titleKey: 'exceptions.change.adopted',
  count: async (db) => (await countExceptions(db)).total,
  rowsOf: (settings) =>
    (settings as ExceptionSettings).values.map((value) => ({ value, note: '', enabled: true })),
  insert: insertExceptions,
});
