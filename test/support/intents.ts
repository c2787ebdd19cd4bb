/** What the tests of the changes service save. */
import { baseSource } from '../../lib/base/source.js';
import type { Intent, SettingsSource } from '../../lib/changes/change.js';
import { domainsSource } from '../../lib/domains/source.js';
import { addDomains } from '../../lib/domains/store.js';
import { readSettings, writeSettings } from '../../lib/settings/store.js';

/** A section with a sealed password that is bound to a host, as the smarthost has. */
const relaySource: SettingsSource = {
  section: 'relay',
  tables: { 'mail_settings/relay': { secrets: ['value.password'], bound: ['value.host'] } },
  collect: async (db) => (await readSettings(db, 'relay'))?.settings ?? null,
};

export const testSources: readonly SettingsSource[] = [baseSource, domainsSource, relaySource];

export function saveBase(mailServerName: string, version: number, actor = 'anna'): Intent {
  return {
    sections: ['base'],
    title: { key: 'base.title.saved', values: { name: mailServerName } },
    actor,
    write: (trx) => writeSettings(trx, 'base', { mailServerName }, { actor, version }),
  };
}

export function saveDomains(names: readonly string[], actor = 'anna'): Intent {
  return {
    sections: ['domains'],
    title: { key: 'domains.title.added', values: {} },
    actor,
    write: (trx) => addDomains(trx, names, actor),
  };
}

export interface RelaySettings {
  readonly host: string;
  readonly note?: string;
  readonly password: string | null;
}

export function saveRelay(settings: RelaySettings, version: number, actor = 'anna'): Intent {
  return {
    sections: ['relay'],
    title: { key: 'relay.title.saved', values: {} },
    actor,
    write: (trx) => writeSettings(trx, 'relay', { ...settings }, { actor, version }),
  };
}
