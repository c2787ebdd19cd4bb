/** The exceptions: the list, saving, switching, removing. */
import type { Knex } from 'knex';
import type { Change, Intent, TouchedRow } from '../changes/change.js';
import type { RowKey } from '../changes/rows.js';
import type { Changes } from '../changes/service.js';
import { NotFoundError, UserError } from '../errors.js';
import type { Look, Machine } from '../machine/service.js';
import { MAX_EXCEPTIONS, MAX_NETWORKS } from './schema.js';
import {
  countExceptions,
  countNetworks,
  findByValue,
  findException,
  findExceptions,
  insertExceptions,
  readExceptionPage,
  readMatchingKeys,
  removeExceptions,
  switchExceptions,
  updateException,
  type ExceptionQuery,
  type ExceptionValues,
  type StoredException,
} from './store.js';
import { displayException } from './value.js';

/** How old what is known of the machine may be beside a list, in milliseconds. */
const LOOK_AGE_MS = 3_000;

export interface ExceptionsService {
  list(query: ExceptionQuery): Promise<{
    readonly rows: readonly StoredException[];
    readonly more: boolean;
    readonly total: number;
    readonly off: number;
  }>;
  /** All that match. */
  matching(search: string): Promise<readonly RowKey[]>;
  /** Throws `NotFoundError`. */
  get(id: string): Promise<StoredException>;
  choose(ids: readonly string[]): Promise<readonly StoredException[]>;
  /** The exception with this value; null when there is none. */
  find(value: string): Promise<StoredException | null>;
  /** Adds one (`key` null) or changes one. Throws `UserError`, `ConflictError`, `NotFoundError`, `HelperError`. */
  save(key: RowKey | null, values: ExceptionValues, actor: string): Promise<Change>;
  /** Throws like `save`. */
  switchAll(keys: readonly RowKey[], enabled: boolean, actor: string): Promise<Change>;
  removeAll(keys: readonly RowKey[], actor: string): Promise<Change>;
  /** Whether anything can be applied now. */
  machine(): Promise<Look>;
}

export function createExceptionsService({
  db,
  changes,
  machine,
}: {
  readonly db: Knex;
  readonly changes: Pick<Changes, 'save'>;
  readonly machine: Machine;
}): ExceptionsService {
  const save = (title: Intent['title'], actor: string, write: Intent['write']) =>
    changes.save({ sections: ['exceptions'], title, actor, write });

  const countAndName = async (keys: readonly RowKey[]) => {
    const [first] = await findExceptions(
      db,
      keys.slice(0, 1).map(({ id }) => id),
    );
    return { count: keys.length, name: displayException(first?.value ?? '') };
  };

  return {
    list: async (query) => {
      const [found, { total, off }] = await Promise.all([
        readExceptionPage(db, { ...query, limit: query.limit + 1 }),
        countExceptions(db),
      ]);
      const rows = query.before === null ? found.slice(0, query.limit) : found.slice(-query.limit);
      return { rows, more: found.length > query.limit, total, off };
    },
    matching: (search) => readMatchingKeys(db, search, MAX_EXCEPTIONS),
    get: async (id) => {
      const found = await findException(db, id);
      if (!found) throw new NotFoundError(`exception ${id}`);
      return found;
    },
    choose: (ids) => findExceptions(db, ids),
    find: (value) => findByValue(db, value),
    save: (key, values, actor) => {
      const name = displayException(values.value);
      const title = {
        key: `exceptions.change.${key === null ? 'added' : 'edited'}`,
        values: { name },
      };
      return save(title, actor, async (trx) => {
        const same = await findByValue(trx, values.value);
        if (same && same.id !== key?.id) {
          throw new UserError({
            key: 'exceptions.problem.taken',
            values: { name },
            field: 'value',
          });
        }
        if (key !== null) {
          const touched = await updateException(trx, key, values, actor);
          return values.enabled ? withinNetworks(trx, touched) : touched;
        }
        const { total } = await countExceptions(trx);
        if (total >= MAX_EXCEPTIONS) {
          const limits = { limit: MAX_EXCEPTIONS };
          throw new UserError({
            key: 'exceptions.problem.tooMany',
            values: limits,
            field: 'value',
          });
        }
        const touched = await insertExceptions(trx, [values], actor);
        return values.enabled ? withinNetworks(trx, touched) : touched;
      });
    },
    switchAll: async (keys, enabled, actor) => {
      const title = {
        key: `exceptions.change.${enabled ? 'on' : 'off'}`,
        values: await countAndName(keys),
      };
      return save(title, actor, async (trx) => {
        const touched = await switchExceptions(trx, keys, enabled, actor);
        return enabled ? withinNetworks(trx, touched) : touched;
      });
    },
    removeAll: async (keys, actor) => {
      const title = { key: 'exceptions.change.removed', values: await countAndName(keys) };
      return save(title, actor, (trx) => removeExceptions(trx, keys));
    },
    machine: () => machine.look(LOOK_AGE_MS),
  };
}

/** What was written, when no more networks are in force than there may be. */
async function withinNetworks(
  trx: Knex.Transaction,
  touched: readonly TouchedRow[],
): Promise<readonly TouchedRow[]> {
  if ((await countNetworks(trx)) <= MAX_NETWORKS) return touched;
  throw new UserError({
    key: 'exceptions.problem.tooManyNetworks',
    values: { limit: MAX_NETWORKS },
    field: 'value',
  });
}
