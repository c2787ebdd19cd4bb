import type { SettingsSource } from '../changes/change.js';
import type { DomainSettings } from './schema.js';
import { readDomains } from './store.js';

export const domainsSource: SettingsSource = {
  section: 'domains',
  tables: { 'mail_settings/domains': { secrets: [] }, mail_domains: { secrets: [] } },
  collect: async (db): Promise<DomainSettings | null> => {
    const domains = await readDomains(db);
    return domains && { names: domains.map(({ name }) => name) };
  },
};
