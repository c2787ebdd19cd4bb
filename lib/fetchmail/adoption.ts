/** A new database takes over the queries that are in force on the machine, under the numbers fetchmail knows them by. */
import { adoptRows } from '../changes/adoption.js';
import { NEW_QUERY, type FetchmailSettings, type FetchQuery } from './schema.js';
import { countQueries, restoreQueries } from './store.js';

export const adoptQueries = adoptRows<FetchQuery>({
  section: 'fetchmail',
  titleKey: 'fetchmail.change.adopted',
  count: countQueries,
  // Another release may have applied them, with other fields.
  rowsOf: (settings) =>
    (settings as FetchmailSettings).queries.map((query) => ({ ...NEW_QUERY, ...query })),
  insert: restoreQueries,
});
