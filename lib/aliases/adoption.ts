/**
 * Before the first save of a new database the aliases that are in force on the machine become its own: mail goes by them
 * although the database that knew them is lost, and the first save would take them away.
 */
import type { Knex } from 'knex';
import type { TouchedRow } from '../changes/change.js';
import type { Changes } from '../changes/service.js';
import { readNumbers } from '../changes/store.js';
import type { Helper } from '../client/helper.js';
import { insertAliases, readUse, type AliasValues } from './store.js';

/** Aliases that are written at once. */
const AT_ONCE = 1_000;

type Left = readonly (readonly [name: string, targets: readonly string[]])[];

/** The same changes; the first save throws `HelperError` when nobody can say what is in force. */
export function adoptingAliases(
  changes: Changes,
  { db, helper }: { readonly db: Knex; readonly helper: Helper | null },
): Changes {
  let settled = helper === null;

  const adopt = async (actor: string): Promise<void> => {
    if (settled || helper === null) return;
    if (await isNew(db)) {
      const left: AliasValues[] = [];
      await helper.call(
        'contents-left',
        { section: 'aliases' },
        {
          actor,
          onProgress: ({ row }) => {
            for (const [name, targets] of row as Left) {
              left.push({ name, targets: [...targets], note: '', enabled: true });
            }
          },
        },
      );
      const title = { key: 'aliases.change.adopted', values: { count: left.length } };
      const writePages = (trx: Knex.Transaction) => insertPages(trx, left, actor);
      if (left.length > 0) {
        await changes.savePages({ sections: ['aliases'], title, actor, writePages });
      }
    }
    settled = true;
  };

  return {
    ...changes,
    save: async (intent) => {
      await adopt(intent.actor);
      return changes.save(intent);
    },
    savePages: async (intent) => {
      await adopt(intent.actor);
      return changes.savePages(intent);
    },
  };
}

async function isNew(db: Knex): Promise<boolean> {
  return (await readNumbers(db)).applied === 0 && !(await readUse(db)).any;
}

async function* insertPages(
  trx: Knex.Transaction,
  left: readonly AliasValues[],
  actor: string,
): AsyncIterable<readonly TouchedRow[]> {
  // Another process may have been first.
  if ((await readUse(trx)).any) return;
  for (let at = 0; at < left.length; at += AT_ONCE) {
    yield await insertAliases(trx, left.slice(at, at + AT_ONCE), actor);
  }
}
