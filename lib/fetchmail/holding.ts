import Joi from 'joi';
import type { TouchedRow } from '../changes/change.js';
import type { HeldSecret, Holding } from '../settings/holding.js';
import {
  fetchmailSchema,
  needsLogin,
  QUERY_FIELDS,
  type FetchmailSettings,
  type QueryValues,
} from './schema.js';
import { keepsPassword, passwordName } from './security.js';
import { insertQuery, readQueries, removeQuery, updateQuery } from './store.js';

/** The queries without their ids, which belong to this machine: files and seen mail are named after them. */
export interface AllQueries {
  readonly queries: readonly QueryValues[];
}

/** Stands for a password that is entered later. */
const SOME_BOX = `mb1.${'A'.repeat(80)}`;

function byName(left: QueryValues, right: QueryValues): number {
  return passwordName(left) < passwordName(right) ? -1 : 1;
}

/** What a form would take, but that a password may still be missing. */
const schema = Joi.any().custom((value: AllQueries, helpers) => {
  const queries: unknown = (value as Partial<AllQueries> | null)?.queries;
  if (!Array.isArray(queries)) return helpers.error('any.invalid');
  const whole = queries.map((query: QueryValues, index) => ({
    id: String(index + 1),
    ...query,
    ...(needsLogin(query.protocol) && query.remotePassword === ''
      ? { remotePassword: SOME_BOX }
      : {}),
  }));
  const settings = { ...value, queries: whole } as unknown as FetchmailSettings;
  const { error } = fetchmailSchema.validate(settings, { convert: false });
  const path = error?.details[0]?.path ?? [];
  return error ? helpers.error('any.invalid', {}, { path }) : value;
}) as Joi.Schema<AllQueries>;

/** All queries as a whole. `seal` seals a password to the mailbox of a query. */
export function createFetchmailHolding(
  seal: (secret: string, query: QueryValues) => Promise<string>,
): Holding<AllQueries> {
  const secretOf = (query: QueryValues): HeldSecret => ({
    name: passwordName(query),
    about: `${query.remoteUser}, ${query.server}`,
  });
  const withPasswords = ({ queries }: AllQueries) =>
    queries.filter((query) => needsLogin(query.protocol));
  const find = ({ queries }: AllQueries, name: string): QueryValues | undefined =>
    queries.find((query) => passwordName(query) === name);
  return {
    section: 'fetchmail',
    schema,
    read: async (db) => {
      const rows = await readQueries(db);
      const queries = rows.map(
        (row) => Object.fromEntries(QUERY_FIELDS.map((field) => [field, row[field]])) as unknown,
      ) as QueryValues[];
      return { queries: queries.sort(byName) };
    },
    isEmpty: ({ queries }) => queries.length === 0,
    write: async (trx, { queries }, actor) => {
      const rows = await readQueries(trx);
      const wanted = new Map(queries.map((query) => [passwordName(query), query]));
      const touched: TouchedRow[] = [];
      for (const row of rows) {
        const values = wanted.get(passwordName(row));
        wanted.delete(passwordName(row));
        touched.push(
          ...(await (values ? updateQuery(trx, row, values, actor) : removeQuery(trx, row))),
        );
      }
      for (const values of wanted.values())
        touched.push(...(await insertQuery(trx, values, actor)));
      return touched;
    },
    secrets: {
      of: (value) => withPasswords(value).map(secretOf),
      box: (value, name) => find(value, name)?.remotePassword ?? '',
      strip: ({ queries }) => ({
        queries: queries.map((query) => ({ ...query, remotePassword: '' })),
      }),
      fill: ({ queries }, present, given) => {
        const missing: HeldSecret[] = [];
        const filled = queries.flatMap((query): QueryValues[] => {
          if (!needsLogin(query.protocol) || query.remotePassword !== '') return [query];
          const wanted = given.get(passwordName(query));
          if (wanted === 'without') return [];
          if (wanted !== undefined) return [{ ...query, remotePassword: wanted.box }];
          const kept = present && find(present, passwordName(query));
          if (kept && kept.remotePassword !== '' && keepsPassword(kept, query)) {
            return [{ ...query, remotePassword: kept.remotePassword }];
          }
          missing.push(secretOf(query));
          return [query];
        });
        return { value: { queries: filled.sort(byName) }, missing };
      },
      seal: async (value, name, secret) => {
        const query = find(value, name);
        if (!query) throw new RangeError(`no query ${name}`);
        return seal(secret, query);
      },
    },
  };
}
