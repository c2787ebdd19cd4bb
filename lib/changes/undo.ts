/** A new change that takes others back, made from their old images. */
import { isDeepStrictEqual } from 'node:util';
import type { Knex } from 'knex';
import { ConflictError, NotFoundError, UserError } from '../errors.js';
import type { Change, Intent, IntentHead, Row, TableSecrets, TouchedRow } from './change.js';
import {
  conflict,
  deleteRow,
  deleteRows,
  insertRows,
  isTaken,
  lockRow,
  ownColumns,
  ROWS_PER_STATEMENT,
  updateEach,
  updateRow,
} from './rows.js';
import {
  maskedSecret,
  secretsOfRow,
  valueAt,
  withValue,
  type SecretsCatalogue,
} from './secrets.js';
import { UNDO, UNDO_SINCE } from './taken-back.js';

/** A secret that an undo needs anew: history keeps none. */
export interface SecretQuestion {
  readonly table: string;
  readonly id: string;
  readonly path: string;
  /** The name of the form field, and of the key in `UndoOptions.secrets`. */
  readonly field: string;
  /** The row as it will be, for the question's wording and for binding the new box. */
  readonly row: Row;
}

export interface UndoOptions {
  readonly actor: string;
  /** Boxes sealed anew, by `SecretQuestion.field`. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/** What a row was before all of the changes, and what it is after them. */
interface NetRow extends TouchedRow {
  /** Paths of the secrets that are still the ones of `before`. */
  readonly keptSecrets: ReadonlySet<string>;
}

/** The secrets that undoing these changes asks for. `changes` are newest first. */
export function secretsToAsk(changes: readonly Change[], all: SecretsCatalogue): SecretQuestion[] {
  return netRows(changes, all).flatMap(({ table, id, before, after, keptSecrets }) => {
    if (before === null) return [];
    const known = secretsOfRow(all, { table, id });
    const rebound = (known.bound ?? []).some(
      (path) => after === null || !isDeepStrictEqual(valueAt(before, path), valueAt(after, path)),
    );
    return known.secrets
      .filter((path) => maskedSecret(before, path) !== 'none')
      .filter((path) => rebound || !keptSecrets.has(path))
      .map((path) => ({ table, id, path, field: `${table}/${id}/${path}`, row: before }));
  });
}

/**
 * The intent that takes back `changes` (newest first, all applied): one change, or everything since one. Its `write`
 * throws `ConflictError` when a row was changed since, `UserError` at the field of every secret that is missing.
 */
export function undoIntent(
  changes: readonly Change[],
  all: SecretsCatalogue,
  { actor, secrets = {} }: UndoOptions,
): Intent {
  const head = undoHead(changes, actor);
  const questions = secretsToAsk(changes, all);
  const rows = netRows(changes, all);
  return {
    ...head,
    write: async (trx) => {
      const missing = questions.filter(({ field }) => !secrets[field]);
      if (missing.length > 0) {
        throw new UserError(
          missing.map(({ field }) => ({ key: 'changes.error.secretNeeded', values: {}, field })),
        );
      }
      return takeAllBack(trx, rows, questions, { all, actor, secrets });
    },
  };
}

/** What goes on record of an undo of these changes, newest first. Throws `UserError` where one of them is not in force. */
export function undoHead(
  changes: readonly Pick<Change, 'id' | 'number' | 'sections' | 'state'>[],
  actor: string,
): IntentHead & { readonly undoes: string } {
  const oldest = changes.at(-1);
  if (!oldest || changes.some(({ state }) => state !== 'applied')) {
    throw new UserError({ key: 'changes.error.notApplied', values: {} });
  }
  return {
    sections: [...new Set(changes.flatMap(({ sections }) => sections))],
    title: {
      key: changes.length === 1 ? UNDO : UNDO_SINCE,
      values: { number: oldest.number },
    },
    actor,
    undoes: oldest.id,
  };
}

/** Takes back some rows of a change, which have no secrets. Throws `ConflictError` when one was changed since. */
export function takeBackPage(
  trx: Knex.Transaction,
  page: Pick<Change, 'rows'>,
  all: SecretsCatalogue,
  actor: string,
): Promise<TouchedRow[]> {
  return takeAllBack(trx, netRows([page], all), [], { all, actor, secrets: {} });
}

async function takeAllBack(...args: Parameters<typeof takeBackInOrder>): Promise<TouchedRow[]> {
  try {
    return await takeBackInOrder(...args);
  } catch (error) {
    // A name that the old row had is another one's by now.
    throw isTaken(error) ? new ConflictError({}, null, 0) : error;
  }
}

async function takeBackInOrder(
  trx: Knex.Transaction,
  rows: readonly NetRow[],
  questions: readonly SecretQuestion[],
  {
    all,
    actor,
    secrets,
  }: Required<UndoOptions> & {
    readonly all: SecretsCatalogue;
  },
): Promise<TouchedRow[]> {
  const touched: TouchedRow[] = [];
  // Names become free before they are taken again.
  const order = ['remove', 'restore', 'insert'] as const;
  for (const kind of order) {
    const ofKind = rows.filter((each) => kindOf(each) === kind);
    const many = new Set(kind === 'insert' ? [] : ofKind.filter((row) => isPlain(row, all)));
    for (const group of groupsOf([...many])) {
      touched.push(...(await takeBackTogether(trx, group, actor)));
    }
    for (const row of ofKind.filter((each) => !many.has(each))) {
      const asked = questions.filter(({ table, id }) => table === row.table && id === row.id);
      const boxes = Object.fromEntries(asked.map(({ path, field }) => [path, secrets[field]]));
      touched.push(...(await takeBack(trx, row, secretsOfRow(all, row), boxes, actor)));
    }
  }
  return touched;
}

function kindOf({ before, after }: NetRow): 'remove' | 'restore' | 'insert' {
  return before === null ? 'remove' : after === null ? 'insert' : 'restore';
}

/** Whether it can be taken back together with others: without secrets, a number as id, and something to be done. */
function isPlain({ table, id, before, after }: NetRow, all: SecretsCatalogue): boolean {
  const { secrets } = secretsOfRow(all, { table, id });
  if (secrets.length > 0 || !/^[1-9]\d{0,17}$/.test(id)) return false;
  return (
    before === null || after === null || !isDeepStrictEqual(ownColumns(before), ownColumns(after))
  );
}

/** Rows of one table each, with the same columns (an upgrade may have added some), as many as one statement takes. */
function groupsOf(rows: readonly NetRow[]): readonly (readonly NetRow[])[] {
  const groups: NetRow[][] = [];
  const shapeOf = ({ table, before }: NetRow): string =>
    [table, ...Object.keys(before ?? {}).sort()].join(' ');
  for (const row of rows) {
    const last = groups.at(-1);
    const fits = last?.[0] !== undefined && shapeOf(last[0]) === shapeOf(row);
    if (fits && last.length < ROWS_PER_STATEMENT) last.push(row);
    else groups.push([row]);
  }
  return groups;
}

/**
 * What `takeBack` does, for many rows that are there now. Where a unique value went from one of them to another that cannot
 * work at once: then one by one in their order.
 */
async function takeBackTogether(
  trx: Knex.Transaction,
  rows: readonly NetRow[],
  actor: string,
): Promise<TouchedRow[]> {
  const table = rows[0]?.table ?? '';
  const keyOf = ({ id, after }: NetRow) => ({ id, version: Number(after?.version) });
  const changes = rows.flatMap((row) =>
    row.before === null ? [] : [{ key: keyOf(row), values: ownColumns(row.before) }],
  );
  try {
    return await trx.transaction((savepoint) =>
      changes.length > 0
        ? updateEach(savepoint, table, changes, { actor })
        : deleteRows(savepoint, table, rows.map(keyOf)),
    );
  } catch (error) {
    if (error instanceof NotFoundError) throw new ConflictError({}, null, 0);
    if (rows.length === 1 || !isTaken(error)) throw error;
  }
  const touched: TouchedRow[] = [];
  for (const row of rows) touched.push(...(await takeBack(trx, row, { secrets: [] }, {}, actor)));
  return touched;
}

async function takeBack(
  trx: Knex.Transaction,
  { table, id, before, after }: NetRow,
  { secrets }: TableSecrets,
  boxes: Readonly<Record<string, string | undefined>>,
  actor: string,
): Promise<TouchedRow[]> {
  const current = await lockRow(trx, table, id);
  if (after === null ? current !== null : current?.version !== after.version) {
    throw current ? conflict(maskBoxes(current, secrets), {}) : new ConflictError({}, null, 0);
  }
  if (before === null) return deleteRow(trx, table, { id, version: Number(current?.version) });
  const kept = secrets.filter((path) => valueAt(before, path) !== undefined);
  const values = kept.reduce((row, path) => {
    const masked = maskedSecret(before, path);
    const box = masked === 'none' ? null : (boxes[path] ?? (current && valueAt(current, path)));
    return withValue(row, path, box ?? null);
  }, ownColumns(before));
  if (current === null) return insertRows(trx, table, [{ ...values, id }], { actor });
  return updateRow(trx, table, { id, version: Number(current.version) }, values, { actor });
}

function maskBoxes(row: Row, paths: readonly string[]): Row {
  return paths.reduce((masked, path) => withValue(masked, path, null), row);
}

function netRows(changes: readonly Pick<Change, 'rows'>[], all: SecretsCatalogue): NetRow[] {
  const net = new Map<string, NetRow>();
  for (const change of changes) {
    for (const { table, id, before, after } of change.rows.toReversed()) {
      const key = `${table}/${id}`;
      const later = net.get(key);
      const kept = secretsOfRow(all, { table, id }).secrets.filter(
        (path) =>
          before !== null &&
          after !== null &&
          maskedSecret(before, path) !== 'none' &&
          maskedSecret(after, path) === 'set' &&
          (!later || later.keptSecrets.has(path)),
      );
      net.set(key, {
        table,
        id,
        before,
        after: later ? later.after : after,
        keptSecrets: new Set(kept),
      });
    }
  }
  return [...net.values()].filter(({ before, after }) => before !== null || after !== null);
}
