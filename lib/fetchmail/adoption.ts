/** A new database takes over the queries that are in force on the machine, under the numbers fetchmail knows them by. */
import type { Adopting } from '../changes/adoption.js';
import { NEW_QUERY, type FetchmailSettings } from './schema.js';
import { countQueries, restoreQueries } from './store.js';

export async function adoptQueries({ db, helper, changes, actor }: Adopting): Promise<void> {
  if ((await countQueries(db)) > 0) return;
  const left = await helper.call('settings-left', { section: 'fetchmail' }, { actor });
  // Another release may have applied them, with other fields.
  const queries = ((left as FetchmailSettings | null)?.queries ?? []).map((query) => ({
    ...NEW_QUERY,
    ...query,
  }));
  if (queries.length === 0) return;
  await changes.save({
    sections: ['fetchmail'],
    title: { key: 'fetchmail.change.adopted', values: { count: queries.length } },
    actor,
    write: async (trx) =>
      // Another process may have been first.
      (await countQueries(trx)) > 0 ? [] : restoreQueries(trx, queries, actor),
  });
}
