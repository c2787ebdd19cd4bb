import type { SettingsSource } from '../changes/change.js';
import { BOUND_COLUMNS } from './security.js';
import { QUERY_FIELDS, type FetchmailSettings, type FetchQuery } from './schema.js';
import { QUERIES_TABLE, readQueries, valuesOf } from './store.js';

export const fetchmailSource: SettingsSource = {
  section: 'fetchmail',
  tables: { [QUERIES_TABLE]: { secrets: ['remote_password'], bound: BOUND_COLUMNS } },
  collect: async (db): Promise<FetchmailSettings> => {
    const queries = await readQueries(db);
    return { queries: queries.map(withoutBookkeeping) };
  },
  rows: {
    table: QUERIES_TABLE,
    row: (row) => withoutBookkeeping({ ...valuesOf(row), id: String(row['id']) }),
  },
};

/** As it crosses the border. */
export function withoutBookkeeping(stored: FetchQuery): FetchQuery {
  const values = Object.fromEntries(QUERY_FIELDS.map((field) => [field, stored[field]]));
  return { id: stored.id, ...values } as FetchQuery;
}
