import type { SettingsSource } from '../changes/change.js';
import { readSettings } from '../settings/store.js';
import type { TlsSettings } from './schema.js';

/** The section TLS is one row of settings. Keys stay in their files, so there is no secret in it. */
export const tlsSource: SettingsSource = {
  section: 'tls',
  tables: { 'mail_settings/tls': { secrets: [] } },
  collect: async (db) => (await readSettings<TlsSettings>(db, 'tls'))?.settings ?? null,
};
