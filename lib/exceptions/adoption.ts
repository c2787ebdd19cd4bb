/** A new database takes over the exceptions that are in force on the machine. */
import type { Adopting } from '../changes/adoption.js';
import type { ExceptionSettings } from './schema.js';
import { countExceptions, insertExceptions } from './store.js';

export async function adoptExceptions({ db, helper, changes, actor }: Adopting): Promise<void> {
  if ((await countExceptions(db)).total > 0) return;
  const left = await helper.call('settings-left', { section: 'exceptions' }, { actor });
  const values = (left as ExceptionSettings | null)?.values ?? [];
  if (values.length === 0) return;
  const exceptions = values.map((value) => ({ value, note: '', enabled: true }));
  await changes.save({
    sections: ['exceptions'],
    title: { key: 'exceptions.change.adopted', values: { count: values.length } },
    actor,
    write: async (trx) =>
      // Another process may have been first.
      (await countExceptions(trx)).total > 0 ? [] : insertExceptions(trx, exceptions, actor),
  });
}
