import type { SettingsSource } from '../changes/change.js';
import type { RelaySettings } from './schema.js';
import { readNetworks } from './store.js';

export const relaySource: SettingsSource = {
  section: 'relay',
  tables: { 'mail_settings/relay': { secrets: [] }, mail_relay_networks: { secrets: [] } },
  collect: async (db): Promise<RelaySettings | null> => {
    const rows = await readNetworks(db);
    return rows && { networks: rows.map(({ network }) => network) };
  },
};
