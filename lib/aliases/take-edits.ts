/** What somebody wrote into the alias table by hand, as aliases. */
import type { TouchedRow } from '../changes/change.js';
import type { Helper } from '../client/helper.js';
import type { TableTaker } from '../differences/service.js';
import { UserError } from '../errors.js';
import { parseAliasName, parseTarget } from './address.js';
import { isAliasEntry } from './schema.js';
import { findByNames, insertAliases, switchAliases, updateAlias } from './store.js';

/** An entry that was taken out by hand is an alias that is switched off; its note stays that way. */
export function createAliasTaker(helper: Helper): TableTaker {
  return async (table, actor) => {
    const { edits, more } = await helper.call(
      'table-edits',
      { section: 'aliases', table },
      { actor },
    );
    if (more) throw new UserError({ key: 'aliases.take.tooMany', values: { count: edits.length } });
    const wanted = new Map(edits.map(({ key, theirs }) => [nameOf(key), targetsOf(key, theirs)]));
    return async (trx) => {
      const touched: TouchedRow[] = [];
      const rows = await findByNames(trx, [...wanted.keys()]);
      for (const row of rows) {
        const targets = wanted.get(row.name) ?? null;
        if (targets === null) touched.push(...(await switchAliases(trx, [row], false, actor)));
        else {
          const { name, note } = row;
          const values = { name, note, targets, enabled: true };
          touched.push(...(await updateAlias(trx, row, values, actor)));
        }
      }
      const known = new Set(rows.map(({ name }) => name));
      const fresh = [...wanted].flatMap(([name, targets]) =>
        targets === null || known.has(name) ? [] : [{ name, targets, note: '', enabled: true }],
      );
      return [...touched, ...(await insertAliases(trx, fresh, actor))];
    };
  };
}

/** Throws `UserError` for a key that no alias could have. */
function nameOf(key: string): string {
  const name = parseAliasName(key);
  if (name === null) throw inexpressible(key);
  return name;
}

function targetsOf(key: string, value: string | null): readonly string[] | null {
  if (value === null) return null;
  const targets = value.split(/[\s,]+/).map(parseTarget);
  const known = targets.filter((target) => target !== null);
  if (known.length < targets.length || !isAliasEntry(nameOf(key), known)) throw inexpressible(key);
  return known;
}

function inexpressible(name: string): UserError {
  return new UserError({ key: 'aliases.take.inexpressible', values: { name: name.slice(0, 100) } });
}
