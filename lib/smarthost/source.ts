import type { Knex } from 'knex';
import type { SettingsSource } from '../changes/change.js';
import { readSettings } from '../settings/store.js';
import type { SmarthostSettings } from './schema.js';

/** The section Smarthost is one row of settings with one secret, bound to everything that says where it goes. */
export const smarthostSource: SettingsSource = {
  section: 'smarthost',
  tables: {
    'mail_settings/smarthost': {
      secrets: ['value.password'],
      bound: ['host', 'port', 'mx', 'tls', 'verify', 'username'].map((name) => `value.${name}`),
    },
  },
  collect: async (db) => (await readSmarthost(db))?.settings ?? null,
};

/** Null when nothing was ever saved. A password that was taken back to none is '' as everywhere. */
export async function readSmarthost(
  db: Knex,
): Promise<{ settings: SmarthostSettings; version: number } | null> {
  const saved = await readSettings<SmarthostSettings & { password: string | null }>(
    db,
    'smarthost',
  );
  if (saved === null) return null;
  const { settings, version } = saved;
  return { settings: { ...settings, password: settings.password ?? '' }, version };
}
