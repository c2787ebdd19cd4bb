import type { SettingsSource, TouchedRow } from '../changes/change.js';
import { wasEverSent } from '../changes/contents.js';
import type { AliasSettings } from './schema.js';
import { ALIASES_TABLE, readAllEnabled, readUse } from './store.js';

/** The aliases that are switched on are the section's contents; its settings follow from them. */
export const aliasesSource: SettingsSource = {
  section: 'aliases',
  tables: { [ALIASES_TABLE]: { secrets: [] } },
  collect: async (db): Promise<AliasSettings | null> => {
    const { any, ...use } = await readUse(db);
    return any || (await wasEverSent(db, 'aliases')) ? use : null;
  },
  contents: {
    delta: (rows) => {
      const entries = new Map<string, unknown>();
      const ours = rows.filter(({ table }) => table === ALIASES_TABLE);
      // Two aliases may have exchanged their names: what goes first, then what comes.
      for (const row of ours) if (isOn(row.before)) entries.set(nameOf(row.before), null);
      for (const row of ours) {
        if (isOn(row.after)) entries.set(nameOf(row.after), row.after?.['targets']);
      }
      return entries;
    },
    all: readAllEnabled,
  },
};

function isOn(row: TouchedRow['before']): boolean {
  return row?.['enabled'] === true;
}

function nameOf(row: TouchedRow['before']): string {
  return String(row?.['name']);
}
