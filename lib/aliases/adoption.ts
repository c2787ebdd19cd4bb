/** A new database takes over the aliases that are in force on the machine. */
import type { Knex } from 'knex';
import type { Adopting } from '../changes/adoption.js';
import type { TouchedRow } from '../changes/change.js';
import { insertAliases, readUse, type AliasValues } from './store.js';

/** Aliases that are written at once. */
const AT_ONCE = 1_000;

type Left = readonly (readonly [name: string, targets: readonly string[]])[];

export async function adoptAliases(adopting: Adopting): Promise<void> {
  const { db, changes, actor } = adopting;
  if ((await readUse(db)).any) return;
  const left = await aliasesInForce(adopting);
  if (left.length === 0) return;
  const title = { key: 'aliases.change.adopted', values: { count: left.length } };
  const writePages = (trx: Knex.Transaction) => insertPages(trx, left, actor);
  await changes.savePages({ sections: ['aliases'], title, actor, writePages });
}

async function aliasesInForce({ helper, actor }: Adopting): Promise<readonly AliasValues[]> {
  const left: AliasValues[] = [];
  const onProgress = ({ row }: { readonly row?: unknown }): void => {
    for (const [name, targets] of row as Left) {
      left.push({ name, targets: [...targets], note: '', enabled: true });
    }
  };
  await helper.call('contents-left', { section: 'aliases' }, { actor, onProgress });
  return left;
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
