import type { SettingsSource } from '../changes/change.js';
import { readSettings } from '../settings/store.js';
import type { BaseSettings } from './schema.js';

/** The section Base configuration is one row of settings, without secrets. */
export const baseSource: SettingsSource = {
  section: 'base',
  tables: { 'mail_settings/base': { secrets: [] } },
  collect: async (db) => (await readSettings<BaseSettings>(db, 'base'))?.settings ?? null,
};
