import type { SettingsSource } from '../changes/change.js';
import { readSettings } from '../settings/store.js';
import type { SecuritySettings } from './schema.js';

/** The section Security is one row of settings, which two pages share. There is no secret in it. */
export const securitySource: SettingsSource = {
  section: 'security',
  tables: { 'mail_settings/security': { secrets: [] } },
  collect: async (db) => (await readSettings<SecuritySettings>(db, 'security'))?.settings ?? null,
};
