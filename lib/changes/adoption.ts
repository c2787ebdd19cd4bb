/**
 * Before the first save of a new database, what is in force on the machine and cannot be read from its files becomes the
 * settings' own: mail goes by it although the database that knew it is lost, and the first save would take it away.
 */
import type { Knex } from 'knex';
import type { Helper } from '../client/helper.js';
import type { TouchedRow } from './change.js';
import type { Changes } from './service.js';
import { readNumbers } from './store.js';

export interface Adopting {
  readonly db: Knex;
  readonly helper: Helper;
  readonly changes: Changes;
  readonly actor: string;
}

/** Saves what of one section is in force, where the database has nothing of it. */
export type Adoption = (adopting: Adopting) => Promise<void>;

/** Of a section whose settings are a list of rows. */
export interface AdoptedRows<Row> {
  readonly section: string;
  /** Of the change, with `count`. */
  readonly titleKey: string;
  count(db: Knex): Promise<number>;
  /** What stands in the section's settings as they were last applied. */
  rowsOf(settings: unknown): readonly Row[];
  insert(trx: Knex.Transaction, rows: readonly Row[], actor: string): Promise<TouchedRow[]>;
}

export function adoptRows<Row>(adopted: AdoptedRows<Row>): Adoption {
  const { section, titleKey } = adopted;
  return async ({ db, helper, changes, actor }) => {
    if ((await adopted.count(db)) > 0) return;
    const left = await helper.call('settings-left', { section }, { actor });
    const rows = left === null ? [] : adopted.rowsOf(left);
    if (rows.length === 0) return;
    await changes.save({
      sections: [section],
      title: { key: titleKey, values: { count: rows.length } },
      actor,
      // Another process may have been first.
      write: async (trx) =>
        (await adopted.count(trx)) > 0 ? [] : adopted.insert(trx, rows, actor),
    });
  };
}

/** The same changes, with the adoptions before the first one; it throws `HelperError` when nobody can say what is in force. */
export function adoptingFirst(
  changes: Changes,
  { db, helper }: { readonly db: Knex; readonly helper: Helper | null },
  adoptions: readonly Adoption[],
): Changes {
  if (helper === null) return changes;
  let open: Adoption[] | null = null;
  let turn = Promise.resolve();
  const adopt = async (actor: string): Promise<void> => {
    open ??= (await readNumbers(db)).applied === 0 ? [...adoptions] : [];
    for (let next = open[0]; next !== undefined; next = open[0]) {
      await next({ db, helper, changes, actor });
      open.shift();
    }
  };
  /** One after the other, also where two people save at once. */
  const inTurn = (actor: string): Promise<void> =>
    (turn = turn.catch(() => undefined).then(() => adopt(actor)));
  return {
    ...changes,
    save: async (intent) => {
      await inTurn(intent.actor);
      return changes.save(intent);
    },
    savePages: async (intent) => {
      await inTurn(intent.actor);
      return changes.savePages(intent);
    },
  };
}
