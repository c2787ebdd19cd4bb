/** Which aliases lead to others, as Postfix would really follow their targets. */
import type { Knex } from 'knex';
import { kindOfName } from './address.js';
import {
  readCaughtDomains,
  readMaybeCaught,
  readMaybeLeading,
  tidyIndexes,
  type Pointing,
} from './index-store.js';
import { complete, decidersOf, type World } from './resolve.js';

/** Aliases that are looked at together. */
const AT_ONCE = 250;
/** Pages of them that are looked at for one question: where so many only seem to lead there, the others stay unsaid. */
const MAX_PAGES = 40;

/** Names of aliases whose mail goes on by one of these names, which are not of them: the first few. */
export async function namesLeadingTo(
  db: Knex,
  names: readonly string[],
  world: World,
  limit: number,
): Promise<readonly string[]> {
  const catchAlls = names.filter((name) => kindOfName(name) === 'catchAll');
  const others = names.filter((name) => kindOfName(name) !== 'catchAll');
  const { home } = world;
  const known = [...world.users, ...world.system.keys()];
  const bareDomains = [...world.domains, ...(await readCaughtDomains(db))];
  // Ten thousand names are as many look-ups, each of which would go through what new rows left in front of the index.
  await tidyIndexes(db);
  const found = [
    ...(await firstLeading(names, world, limit, (after) =>
      others.length === 0
        ? []
        : readMaybeLeading(db, { names: others, home, after, limit: AT_ONCE }, bareDomains),
    )),
    ...(await firstLeading(names, world, limit, (after) =>
      catchAlls.length === 0
        ? []
        : readMaybeCaught(db, { names: catchAlls, home, after, limit: AT_ONCE }, known),
    )),
  ];
  return [...new Set(found.filter((name) => !names.includes(name)))].sort().slice(0, limit);
}

async function firstLeading(
  names: readonly string[],
  world: World,
  limit: number,
  read: (after: string) => Promise<readonly Pointing[]> | readonly Pointing[],
): Promise<readonly string[]> {
  const wanted = new Set(names);
  const found: string[] = [];
  let after = '';
  for (let page = 0; page < MAX_PAGES && found.length < limit; page += 1) {
    const rows = await read(after);
    const deciders = await decidersOf(
      rows.flatMap(({ targets }) => targets),
      world,
    );
    const leads = (target: string): boolean =>
      wanted.has(deciders.get(complete(target, world)) ?? '');
    found.push(...rows.filter(({ targets }) => targets.some(leads)).map(({ name }) => name));
    if (rows.length < AT_ONCE) break;
    after = rows.at(-1)?.name ?? after;
  }
  return found;
}
