import type { SettingsSource } from '../changes/change.js';
import { wasEverSent } from '../changes/contents.js';
import type { RecipientSettings } from './schema.js';
import { hasRecipients, RECIPIENTS_TABLE, streamRecipients } from './store.js';

/** The names are the section's contents; a table is used as long as there are any. */
export const recipientsSource: SettingsSource = {
  section: 'recipients',
  tables: { [RECIPIENTS_TABLE]: { secrets: [] } },
  collect: async (db): Promise<RecipientSettings | null> => {
    if (await hasRecipients(db)) return { kind: 'table' };
    return (await wasEverSent(db, 'recipients')) ? { kind: 'nss' } : null;
  },
  contents: {
    delta: (rows) => {
      const entries = new Map<string, unknown>();
      const ours = rows.filter(({ table }) => table === RECIPIENTS_TABLE);
      for (const { before } of ours) if (before) entries.set(String(before['name']), null);
      for (const { after } of ours) {
        if (after) entries.set(String(after['name']), after['login']);
      }
      return entries;
    },
    all: streamRecipients,
  },
};
