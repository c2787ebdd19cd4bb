import type { SettingsSource } from '../changes/change.js';
import { readSettings } from '../settings/store.js';
import type { PolicySettings } from './schema.js';

/** The section Policy is one row of settings, without secrets. */
export const policySource: SettingsSource = {
  section: 'policy',
  tables: { 'mail_settings/policy': { secrets: [] } },
  collect: async (db) => (await readSettings<PolicySettings>(db, 'policy'))?.settings ?? null,
};
