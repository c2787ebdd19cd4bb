/**
 * Before the first save of a new database, what is in force on the machine and cannot be read from its files becomes the
 * settings' own: mail goes by it although the database that knew it is lost, and the first save would take it away.
 */
import type { Knex } from 'knex';
import type { Helper } from '../client/helper.js';
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
