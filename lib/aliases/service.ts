/** The administrator's aliases: the list with what is to be said of each, saving, switching, removing. */
import type { Knex } from 'knex';
import type { Change, Intent, TouchedRow } from '../changes/change.js';
import type { RowKey } from '../changes/rows.js';
import type { Changes } from '../changes/service.js';
import { NotFoundError, UserError, type Problem } from '../errors.js';
import { displayAddress, kindOfName, splitAddress } from './address.js';
import { healthOf, type Health } from './health.js';
import { resolve, lookUp, complete, type Resolution, type World } from './resolve.js';
import type { Alias } from './schema.js';
import {
  countAliases,
  findAlias,
  findAliases,
  findByNames,
  insertAliases,
  readAliasPage,
  removeAlias,
  updateAlias,
  type AliasPageQuery,
  type AliasValues,
} from './store.js';
import { aliasesIn, type SystemAlias, type Worlds } from './world.js';

/** Names that have to lead somewhere (RFC 5321 4.5.1; cron and daemons write to root). */
const PROTECTED = ['postmaster', 'root'];

/** Saving is possible, but something is to be known first: the page asks once more. */
export class DoubtError extends Error {
  override readonly name = 'DoubtError';
  constructor(readonly doubts: readonly Problem[]) {
    super(doubts.map(({ key }) => key).join(', '));
  }
}

export interface JudgedAlias extends Alias {
  readonly health: Health;
}

export interface AliasList {
  readonly rows: readonly JudgedAlias[];
  readonly more: boolean;
  readonly total: number;
  readonly off: number;
}

export interface AliasesService {
  list(query: AliasPageQuery): Promise<AliasList>;
  /** The system's own, with whether one of ours takes its mail first. */
  systemAliases(): Promise<readonly (SystemAlias & { readonly overridden: boolean })[]>;
  /** Throws `NotFoundError`. */
  get(id: string): Promise<JudgedAlias>;
  choose(ids: readonly string[]): Promise<readonly Alias[]>;
  /**
   * Adds an alias (`key` null) or changes one. Throws `UserError` for what cannot be, `DoubtError` for what should be
   * known first unless `sure`, `ConflictError`, `NotFoundError`.
   */
  save(key: RowKey | null, values: AliasValues, sure: boolean, actor: string): Promise<Change>;
  /** All of them or none. */
  switchAll(keys: readonly RowKey[], enabled: boolean, actor: string): Promise<Change>;
  removeAll(keys: readonly RowKey[], actor: string): Promise<Change>;
  /** Where mail to an address goes by the settings. */
  route(address: string): Promise<Resolution>;
}

export interface AliasesParts {
  readonly db: Knex;
  readonly changes: Pick<Changes, 'save'>;
  readonly worlds: Worlds;
}

export function createAliasesService({ db, changes, worlds }: AliasesParts): AliasesService {
  const judge = async (aliases: readonly Alias[]): Promise<readonly JudgedAlias[]> => {
    const health = await healthOf(aliases, await worlds.now(db));
    const none: Health = { state: 'fine', dead: [], hidden: null, circle: [] };
    return aliases.map((alias) => ({ ...alias, health: health.get(alias.name) ?? none }));
  };

  const intent = (title: Intent['title'], actor: string, write: Intent['write']): Intent => ({
    sections: ['aliases'],
    ...{ title, actor, write },
  });

  return {
    list: async (query) => {
      const found = await readAliasPage(db, { ...query, limit: query.limit + 1 });
      const backwards = query.before !== null;
      const rows = backwards ? found.slice(-query.limit) : found.slice(0, query.limit);
      const more = found.length > query.limit;
      return { rows: await judge(rows), more, ...(await countAliases(db)) };
    },
    systemAliases: async () => {
      const all = await worlds.systemAliases();
      const ours = await findByNames(
        db,
        all.map(({ name }) => name),
      );
      const taken = new Set(ours.filter(({ enabled }) => enabled).map(({ name }) => name));
      return all.map((alias) => ({ ...alias, overridden: taken.has(alias.name) }));
    },
    get: async (id) => {
      const alias = await findAlias(db, id);
      const [judged] = alias ? await judge([alias]) : [];
      if (!judged) throw new NotFoundError(`alias ${id}`);
      return judged;
    },
    choose: (ids) => findAliases(db, ids),
    save: async (key, values, sure, actor) => {
      const now = await worlds.now(db);
      const title = {
        key: key === null ? 'aliases.change.added' : 'aliases.change.edited',
        values: { name: displayAddress(values.name) },
      };
      return changes.save(
        intent(title, actor, async (trx) => {
          const [same] = await findByNames(trx, [values.name]);
          if (same && same.id !== key?.id) throw wrong('aliases.problem.taken', 'name', values);
          const before = key === null ? null : await findAlias(trx, key.id);
          if (key !== null && !before) throw new NotFoundError(`alias ${key.id}`);
          const inside = { ...now, aliases: aliasesIn(trx) };
          const world = withAlias(inside, before?.name ?? null, values);
          const doubts = await examine(values, world);
          if (doubts.length > 0 && !sure) throw new DoubtError(doubts);
          return key === null
            ? insertAliases(trx, [values], actor)
            : updateAlias(trx, key, values, actor);
        }),
      );
    },
    switchAll: async (keys, enabled, actor) => {
      const [first] = await findAliases(
        db,
        keys.map(({ id }) => id),
      );
      const kind = enabled ? 'on' : 'off';
      const values = { count: keys.length, name: displayAddress(first?.name ?? '') };
      return changes.save(
        intent({ key: `aliases.change.${kind}`, values }, actor, async (trx) => {
          const touched: TouchedRow[] = [];
          for (const key of keys) {
            const alias = await findAlias(trx, key.id);
            if (!alias) throw new NotFoundError(`alias ${key.id}`);
            touched.push(...(await updateAlias(trx, key, { ...alias, enabled }, actor)));
          }
          return touched;
        }),
      );
    },
    removeAll: async (keys, actor) => {
      const [first] = await findAliases(
        db,
        keys.map(({ id }) => id),
      );
      const values = { count: keys.length, name: displayAddress(first?.name ?? '') };
      return changes.save(
        intent({ key: 'aliases.change.removed', values }, actor, async (trx) => {
          const touched: TouchedRow[] = [];
          for (const key of keys) touched.push(...(await removeAlias(trx, key)));
          return touched;
        }),
      );
    },
    route: async (address) => {
      const world = await worlds.now(db);
      const start = complete(address, world);
      return resolve(start, await lookUp([start], world), world);
    },
  };
}

/** The world in which the alias is as it is about to be saved, and no longer what it was. */
function withAlias(world: World, oldName: string | null, values: AliasValues): World {
  return {
    ...world,
    aliases: async (names) => {
      const found = new Map(await world.aliases(names));
      if (oldName !== null) found.delete(oldName);
      if (values.enabled && names.includes(values.name)) found.set(values.name, values.targets);
      return found;
    },
  };
}

/** What should be known before saving. Throws `UserError` for what would stop mail. */
async function examine(values: AliasValues, world: World): Promise<readonly Problem[]> {
  const { name, targets } = values;
  const looked = { name, targets, enabled: true };
  const found = (await healthOf([looked], world)).get(name);
  const { domain } = splitAddress(name);
  const isHere = domain === null || world.isLocal(domain);
  if (kindOfName(name) === 'catchAll' && !isHere) {
    throw wrong('aliases.problem.catchAllForeign', 'name', values);
  }
  if (!found || !values.enabled) return [];
  if (found.state === 'loop') {
    const way = found.circle.map(displayAddress).join(' → ');
    throw new UserError({ key: 'aliases.problem.loop', values: { way }, field: 'targets' });
  }
  const dead = found.dead.map(displayAddress).join(', ');
  if (found.state === 'dead' && PROTECTED.includes(splitAddress(name).local)) {
    const problem = { key: 'aliases.problem.protected', values: { name }, field: 'targets' };
    throw new UserError(problem);
  }
  return [
    ...(dead === ''
      ? []
      : [{ key: 'aliases.doubt.dead', values: { targets: dead }, field: 'targets' }]),
    ...(found.hidden === null
      ? []
      : [{ key: 'aliases.doubt.hides', values: { user: found.hidden }, field: 'name' }]),
    ...(isHere ? [] : [{ key: 'aliases.doubt.foreign', values: { domain }, field: 'name' }]),
  ];
}

function wrong(key: string, field: string, { name }: AliasValues): UserError {
  return new UserError({ key, field, values: { name: displayAddress(name) } });
}
