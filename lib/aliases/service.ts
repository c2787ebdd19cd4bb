/** The administrator's aliases: the list with what is to be said of each, saving, switching, removing. */
import type { Look } from '../machine/service.js';
import type { Knex } from 'knex';
import type { Change, Intent, TouchedRow } from '../changes/change.js';
import type { RowKey } from '../changes/rows.js';
import type { Changes } from '../changes/service.js';
import { toUnicodeDomain } from '../domains/schema.js';
import { NotFoundError, UserError, type Problem } from '../errors.js';
import type { Words } from '../words.js';
import { displayAddress, kindOfName, splitAddress } from './address.js';
import { mayTurn } from './circles.js';
import { guarded } from './guarded.js';
import { healthOf, healthOfSystemAlias, NOTHING, type Health } from './health.js';
import { PROTECTED } from './protection.js';
import type { World } from './resolve.js';
import type { Alias } from './schema.js';
import { countStates, readWork } from './index-store.js';
import { namesLeadingTo } from './leading.js';
import {
  MIN_ANYWHERE_CHARS,
  readAliasPage,
  readMatchingKeys,
  SHORT_LIST,
  type AliasPageQuery,
} from './page-store.js';
import { countOf, type StateCounts } from './states.js';
import {
  countInDomain,
  findAlias,
  findAliases,
  findByNames,
  insertAliases,
  removeAliases,
  switchAliases,
  updateAlias,
  type AliasValues,
} from './store.js';
import { aliasesIn, type SystemAlias, type Worlds } from './world.js';

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

export interface JudgedSystemAlias extends SystemAlias {
  /** One of ours takes its mail first. */
  readonly overridden: boolean;
  /** It has to lead somewhere. */
  readonly needed: boolean;
  readonly health: Health;
}

/** What of the list is wanted; `beginning` follows from the length of the text. */
export type AliasListQuery = Omit<AliasPageQuery, 'beginning'>;

export interface AliasList {
  readonly rows: readonly (JudgedAlias & { readonly cursor: string })[];
  readonly more: boolean;
  readonly total: number;
  readonly counts: StateCounts;
  /** All are being looked at again: until then the counts, and what is chosen by state, are as they were before. */
  readonly lookedAgain: boolean;
  /** The text was looked for at the beginning of names only: it is short and the list is long. */
  readonly beginning: boolean;
}

/** Aliases that lead to others, as far as a question names them. */
const SHOWN_LEADING = 5;

/** Rows one action may change when it is for all that match. */
export const MAX_ALL = 10_000;

export interface AliasesService {
  list(query: AliasListQuery): Promise<AliasList>;
  /** All that match, at most `MAX_ALL`. */
  matching(query: Pick<AliasListQuery, 'search' | 'state'>): Promise<readonly RowKey[]>;
  /** The system's own, with whether one of ours takes its mail first. */
  systemAliases(): Promise<readonly JudgedSystemAlias[]>;
  /** Whether their file was edited and Postfix does not know it yet. */
  systemUnread(): boolean;
  /** Has Postfix read it; how many names it has then. Throws `HelperError`: it stays as it was. */
  readSystem(actor: string): Promise<number>;
  /** Whether what is said of aliases is as fresh as it should be. */
  machine(): Promise<Look>;
  /** Names of other aliases whose mail goes on by one of these, at most a few; and of queries that fetch mail for them. */
  leadingTo(
    ids: readonly string[],
  ): Promise<{ readonly aliases: readonly string[]; readonly queries: readonly string[] }>;
  /** What removing local domains takes from aliases. */
  losses(domains: readonly string[]): Promise<readonly Words[]>;
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
}

export interface AliasesParts {
  readonly db: Knex;
  readonly changes: Pick<Changes, 'save'>;
  readonly worlds: Worlds;
  /** Names of the queries that fetch mail for one of these aliases. */
  readonly queriesFor: (names: readonly string[]) => Promise<readonly string[]>;
}

/** What of an alias may be in a domain, and what is said of it. */
const LOSSES = [
  ['domains.loss.aliases', 'name'],
  ['domains.loss.targets', 'targets'],
] as const;

export function createAliasesService({
  db,
  changes,
  worlds,
  queriesFor,
}: AliasesParts): AliasesService {
  const judge = async (aliases: readonly Alias[]): Promise<readonly JudgedAlias[]> => {
    const health = await healthOf(aliases, await worlds.lately(db));
    return aliases.map((alias) => ({ ...alias, health: health.get(alias.name) ?? NOTHING }));
  };

  const countAndName = async (keys: readonly RowKey[]) => {
    const [first] = await findAliases(
      db,
      keys.slice(0, 1).map(({ id }) => id),
    );
    return { count: keys.length, name: displayAddress(first?.name ?? '') };
  };

  const intent = (title: Intent['title'], actor: string, write: Intent['write']): Intent => ({
    sections: ['aliases'],
    ...{ title, actor, write },
  });

  return {
    list: async (query) => {
      const counts = await countStates(db);
      const { sweep } = await readWork(db);
      const total = countOf(counts, 'all');
      const beginning = isShort(query.search, total);
      const asked = { ...query, beginning, limit: query.limit + 1 };
      const found = await readAliasPage(db, asked, counts);
      const kept = query.before === null ? found.slice(0, query.limit) : found.slice(-query.limit);
      const judged = await judge(kept.map(({ alias }) => alias));
      const rows = judged.map((row, index) => ({ ...row, cursor: kept[index]?.cursor ?? '' }));
      const more = found.length > query.limit;
      return { rows, more, total, counts, lookedAgain: sweep !== null, beginning };
    },
    matching: async (query) => {
      const counts = await countStates(db);
      const beginning = isShort(query.search, countOf(counts, 'all'));
      return readMatchingKeys(db, { ...query, beginning, limit: MAX_ALL }, counts);
    },
    systemAliases: async () => {
      const all = await worlds.systemAliases();
      const ours = await findByNames(
        db,
        all.map(({ name }) => name),
      );
      const taken = new Set(ours.filter(({ enabled }) => enabled).map(({ name }) => name));
      const world = await worlds.lately(db);
      return all.map((alias) => ({
        ...alias,
        overridden: taken.has(alias.name),
        needed: PROTECTED.some((name) => name === alias.name),
        health: healthOfSystemAlias(alias.name, world),
      }));
    },
    systemUnread: () => worlds.systemUnread(),
    readSystem: (actor) => worlds.readSystem(actor),
    machine: () => worlds.machine(),
    leadingTo: async (ids) => {
      const chosen = await findAliases(db, ids);
      const names = chosen.map(({ name }) => name);
      const inForce = chosen.filter(({ enabled }) => enabled).map(({ name }) => name);
      return {
        aliases: await namesLeadingTo(db, inForce, await worlds.lately(db), SHOWN_LEADING),
        queries: await queriesFor(names),
      };
    },
    losses: async (domains) => {
      const losses: Words[] = [];
      for (const domain of domains) {
        for (const [key, part] of LOSSES) {
          const { count, name } = await countInDomain(db, domain, part);
          const named = { count, name: displayAddress(name), domain: toUnicodeDomain(domain) };
          if (count > 0) losses.push({ key, values: named });
        }
      }
      return losses;
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
          return guarded(trx, now, () =>
            key === null
              ? insertAliases(trx, [values], actor)
              : updateAlias(trx, key, values, actor),
          );
        }),
      );
    },
    switchAll: async (keys, enabled, actor) => {
      const kind = enabled ? 'on' : 'off';
      const title = { key: `aliases.change.${kind}`, values: await countAndName(keys) };
      const now = await worlds.now(db);
      return changes.save(
        intent(title, actor, (trx) =>
          guarded(trx, now, async () => {
            const touched = await switchAliases(trx, keys, enabled, actor);
            if (enabled) await refuseLoops(touched, { ...now, aliases: aliasesIn(trx) });
            return touched;
          }),
        ),
      );
    },
    removeAll: async (keys, actor) => {
      const title = { key: 'aliases.change.removed', values: await countAndName(keys) };
      const now = await worlds.now(db);
      return changes.save(
        intent(title, actor, (trx) => guarded(trx, now, () => removeAliases(trx, keys))),
      );
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

/** Too short to be looked for anywhere in a long list. */
function isShort(search: string, total: number): boolean {
  return search.length < MIN_ANYWHERE_CHARS && total > SHORT_LIST;
}

/** Aliases that are judged together, of those that may turn. */
const JUDGED_AT_ONCE = 20;

/** Throws `UserError` for the first of these rows with which mail would go in circles, as they are written now. */
async function refuseLoops(touched: readonly TouchedRow[], world: World): Promise<void> {
  const rows = touched.flatMap(({ after }) =>
    after === null ? [] : [after as unknown as Pick<Alias, 'name' | 'targets' | 'enabled'>],
  );
  for await (const suspects of mayTurn(rows, world)) {
    for (let at = 0; at < suspects.length; at += JUDGED_AT_ONCE) {
      const health = await healthOf(suspects.slice(at, at + JUDGED_AT_ONCE), world);
      const found = [...health.values()].find(({ state }) => state === 'loop');
      if (found) throw loop(found);
    }
  }
}

function loop({ circle }: Health): UserError {
  const way = circle.map(displayAddress).join(' → ');
  return new UserError({ key: 'aliases.problem.loop', values: { way }, field: 'targets' });
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
  if (found.state === 'loop') throw loop(found);
  const dead = found.dead.map(displayAddress).join(', ');
  const toAdmin = found.toAdmin.map(displayAddress).join(', ');
  return [
    ...(dead === ''
      ? []
      : [{ key: 'aliases.doubt.dead', values: { targets: dead }, field: 'targets' }]),
    ...(toAdmin === ''
      ? []
      : [{ key: 'aliases.doubt.toAdmin', values: { targets: toAdmin }, field: 'targets' }]),
    ...(found.hidden === null
      ? []
      : [{ key: 'aliases.doubt.hides', values: { user: found.hidden }, field: 'name' }]),
    ...(isHere ? [] : [{ key: 'aliases.doubt.foreign', values: { domain }, field: 'name' }]),
  ];
}

function wrong(key: string, field: string, { name }: AliasValues): UserError {
  return new UserError({ key, field, values: { name: displayAddress(name) } });
}
