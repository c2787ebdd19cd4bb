/** Mail from other providers: the queries, their passwords, how their polls went, testing and fetching now. */
import type { Knex } from 'knex';
import type { Change, Intent, Preview, Row, TouchedRow } from '../changes/change.js';
import { displayAddress, splitAddress } from '../aliases/address.js';
import { toUnicodeDomain } from '../domains/schema.js';
import type { Words } from '../words.js';
import { noHelper } from '../changes/failures.js';
import type { RowKey } from '../changes/rows.js';
import type { Changes } from '../changes/service.js';
import type { Helper } from '../client/helper.js';
import type { Directory } from '../contract.js';
import { HelperError, NotFoundError, UserError, type Problem } from '../errors.js';
import type { QueryStatus } from '../fetcher/status.js';
import { foldCase } from '../sections/fold-case.js';
import { createPasswords, decidePassword, type Decided, type TypedPassword } from './password.js';
import { createRuns, type RunForm, type Runs } from './runs.js';
import {
  effectivePort,
  MAX_QUERIES,
  PROTOCOLS,
  QUERY_FIELDS,
  type FetchProtocol,
  type FetchQuery,
  type QueryValues,
} from './schema.js';
import { createStatusWatch, type Statuses } from './statuses.js';
import {
  countQueries,
  findQuery,
  insertQuery,
  queriesOfLogin,
  readQueries,
  removeQuery,
  updateQuery,
  valuesOf,
  type StoredQuery,
} from './store.js';
import { addedTitle, editedTitle, removedTitle, switchedTitle, takenOverTitle } from './words.js';

/** A mailbox that fails for so long is told on the overview, in milliseconds. */
const LONG_FAILING_MS = 24 * 3_600_000;
/** How long what fetchmail offers is remembered, in milliseconds: an update may change it. */
const OFFERS_KEPT_MS = 600_000;
/** Stands for the id of a query that has none yet, where the border wants one. */
const NO_ID = '1';

export interface Listed {
  readonly query: StoredQuery;
  readonly status: QueryStatus | null;
}

export interface FetchmailService {
  readonly runs: Runs;
  list(): Promise<{ readonly rows: readonly Listed[]; readonly statuses: Statuses }>;
  /** Throws `NotFoundError`. */
  get(id: string): Promise<Listed>;
  /** The same without how its last look went, which takes a moment to ask. */
  find(id: string): Promise<StoredQuery>;
  /** Those that are still there. */
  choose(ids: readonly string[]): Promise<readonly StoredQuery[]>;
  /** The password these settings shall have. Throws `UserError` when it must be entered (again). */
  decide(
    typed: TypedPassword,
    values: QueryValues,
    current: QueryValues | null,
    owner: string,
  ): Promise<Decided>;
  /** Keeps a typed password for a form that goes to and fro. */
  keep(values: QueryValues, decided: Decided, owner: string): string;
  /** Everything that only a look at the machine can tell: users that are nobody, an alias that is none. */
  problems(values: QueryValues): Promise<readonly Problem[]>;
  /** `key` is null for a new one. Throws `UserError`, `ConflictError`, `NotFoundError`, `HelperError`. */
  save(key: RowKey | null, values: QueryValues, actor: string): Promise<Change>;
  /** What the installed fetchmail speaks; all it could when nobody can say. */
  protocols(): Promise<readonly FetchProtocol[]>;
  /** Several new ones at once, with their passwords sealed; the keys in their order. */
  addAll(
    all: readonly QueryValues[],
    actor: string,
  ): Promise<{ readonly change: Change; readonly keys: readonly RowKey[] }>;
  /** A name that is nobody here may be an alias: then the mail goes to that. */
  findRecipient(values: QueryValues): Promise<QueryValues>;
  preview(key: RowKey | null, values: QueryValues, actor: string): Promise<Preview>;
  switchAll(keys: readonly RowKey[], on: boolean, actor: string): Promise<Change>;
  removeAll(keys: readonly RowKey[], actor: string): Promise<Change>;
  /** Logs in and counts, with settings that need not be saved. Null when too many tests are under way. */
  test(id: string | null, values: QueryValues, actor: string, form: RunForm | null): string | null;
  /** The same, and who would get what waits there. */
  look(id: string | null, values: QueryValues, actor: string, form: RunForm | null): string | null;
  /** Fetches now, or shows the fetch that is under way. Null when too many are. */
  fetch(query: StoredQuery, actor: string): string | null;
  /** What the overview has to tell: nobody fetches, or a mailbox has failed for a day. */
  troubles(): Promise<readonly Words[]>;
  /** What removing local domains takes from queries. */
  losses(domains: readonly string[]): Promise<readonly Words[]>;
  /** Names of the queries whose mail goes to one of these aliases. */
  leadingTo(aliases: readonly string[]): Promise<readonly string[]>;
  /** For an undo that asks for the password: seals it for the row as it will be. */
  sealAgain(row: Row, secret: string): Promise<string>;
  /** Seals a password to the mailbox of a query. Throws `UserError` when fetchmail could not send it. */
  sealPassword(secret: string, query: QueryValues): Promise<string>;
  close(): Promise<void>;
}

export interface FetchmailParts {
  readonly db: Knex;
  readonly changes: Pick<Changes, 'save' | 'preview'>;
  readonly helper: Helper | null;
  readonly directory: Directory;
  /** Whether an alias of this name is there, ours or the system's. */
  readonly isAlias: (name: string) => Promise<boolean>;
}

export function createFetchmailService(parts: FetchmailParts): FetchmailService {
  const { db, changes, helper, directory, isAlias } = parts;
  const asked = (): Helper => {
    if (helper === null) throw noHelper();
    return helper;
  };
  const passwords = createPasswords(async () => {
    const { publicKey } = await asked().call('describe', {}, { actor: 'pages' });
    return publicKey;
  });
  const runs = createRuns();
  const watch = createStatusWatch(helper);
  let offers: readonly FetchProtocol[] = [];
  let offersAt = 0;

  const save = async (intent: Intent): Promise<Change> => {
    try {
      return await changes.save(intent);
    } catch (error) {
      throw asProblem(error);
    } finally {
      watch.forget();
    }
  };

  const intent = (
    title: Intent['title'],
    actor: string,
    write: (trx: Knex.Transaction) => Promise<readonly TouchedRow[]>,
  ): Intent => ({ sections: ['fetchmail'], title, actor, write });

  const saving = (key: RowKey | null, values: QueryValues, actor: string): Intent =>
    intent((key === null ? addedTitle : editedTitle)(values.name), actor, async (trx) => {
      if (key === null && (await countQueries(trx)) >= MAX_QUERIES) {
        const limit = { limit: MAX_QUERIES };
        throw new UserError({ key: 'fetchmail.problem.tooMany', values: limit, field: 'name' });
      }
      const others = (await queriesOfLogin(trx, values)).filter(({ id }) => id !== key?.id);
      const same = others.find((query) => sameMailbox(query, values));
      if (same) {
        const named = { name: same.name };
        throw new UserError({ key: 'fetchmail.problem.taken', values: named, field: 'remoteUser' });
      }
      return key === null ? insertQuery(trx, values, actor) : updateQuery(trx, key, values, actor);
    });

  const find = async (id: string): Promise<StoredQuery> => {
    const query = await findQuery(db, id);
    if (!query) throw new NotFoundError(`query ${id}`);
    return query;
  };

  const namesOf = async (keys: readonly RowKey[]): Promise<readonly string[]> => {
    const all = await readQueries(db);
    return keys.map(({ id }) => {
      const found = all.find((query) => query.id === id);
      if (!found) throw new NotFoundError(`query ${id}`);
      return found.name;
    });
  };

  const several = async (
    keys: readonly RowKey[],
    write: (trx: Knex.Transaction, key: RowKey) => Promise<readonly TouchedRow[]>,
    title: (names: readonly string[]) => Intent['title'],
    actor: string,
  ): Promise<Change> => {
    const names = await namesOf(keys);
    return save(
      intent(title(names), actor, async (trx) => {
        const touched: TouchedRow[] = [];
        for (const key of keys) touched.push(...(await write(trx, key)));
        return touched;
      }),
    );
  };

  const trial = (
    kind: 'test' | 'look',
    id: string | null,
    values: QueryValues,
    actor: string,
    form: RunForm | null,
  ): string | null =>
    runs.start({
      ...{ kind, query: id, name: values.name, form, about: kind === 'look' ? values : null },
      work: async (onLine, signal) => {
        const query: FetchQuery = { id: id ?? NO_ID, ...settingsOf(values) };
        const params = { query, saved: id !== null, look: kind === 'look' };
        const onProgress = ({ row }: { row?: unknown }): void => onLine(String(row));
        return asked().call('fetchmail-test', params, { actor, signal, onProgress });
      },
    });

  return {
    runs,
    async list() {
      const [queries, statuses] = await Promise.all([readQueries(db), watch.all()]);
      const rows = queries.map((query) => {
        return { query, status: statuses.queries[query.id] ?? null };
      });
      return { rows, statuses };
    },
    async get(id) {
      return { query: await find(id), status: await watch.one(id) };
    },
    find,
    async choose(ids) {
      return (await readQueries(db)).filter(({ id }) => ids.includes(id));
    },
    decide: (typed, values, current, owner) =>
      decidePassword(typed, values, current, owner, passwords),
    keep: (values, { box, fresh }, owner) => (fresh ? passwords.keep(box, values, owner) : ''),
    async problems(values) {
      const problems: Problem[] = [];
      if (values.users.length > 0) {
        const people = new Set((await directory.users()).map(({ login }) => foldCase(login)));
        const missing = values.users.filter((user) => !people.has(user));
        const [value = ''] = missing;
        if (missing.length > 0) {
          problems.push({
            key: 'fetchmail.problem.userUnknown',
            values: { value },
            field: 'users',
          });
        }
      }
      if (values.alias !== '' && !(await isAlias(values.alias))) {
        const value = values.alias;
        problems.push({ key: 'fetchmail.problem.aliasUnknown', values: { value }, field: 'alias' });
      }
      return problems;
    },
    save: (key, values, actor) => save(saving(key, values, actor)),
    async protocols() {
      if (helper === null) return PROTOCOLS;
      if (offers.length === 0 || Date.now() - offersAt > OFFERS_KEPT_MS) {
        try {
          const { protocols } = await helper.call('fetchmail-offers', {}, { actor: 'pages' });
          offers = protocols;
          offersAt = Date.now();
        } catch (error) {
          if (!(error instanceof HelperError)) throw error;
        }
      }
      return offers.length === 0 ? PROTOCOLS : offers;
    },
    async addAll(all, actor) {
      let keys: readonly RowKey[] = [];
      const change = await save(
        intent(takenOverTitle(all.length), actor, async (trx) => {
          const touched: TouchedRow[] = [];
          for (const values of all) touched.push(...(await insertQuery(trx, values, actor)));
          keys = touched.map(({ id, after }) => ({ id, version: Number(after?.['version']) }));
          return touched;
        }),
      );
      return { change, keys };
    },
    async findRecipient(values) {
      const [name = '', ...others] = values.users;
      if (values.destination !== 'user' || others.length > 0) return values;
      const people = await directory.users();
      if (people.some(({ login }) => foldCase(login) === foldCase(name))) {
        return { ...values, users: [foldCase(name)] };
      }
      if (!(await isAlias(name))) return values;
      return { ...values, destination: 'alias', users: [], alias: name };
    },
    preview: (key, values, actor) => changes.preview(saving(key, values, actor)),
    switchAll: (keys, enabled, actor) =>
      several(
        keys,
        (trx, key) => updateQuery(trx, key, { enabled }, actor),
        (names) => switchedTitle(names, enabled),
        actor,
      ),
    removeAll: (keys, actor) => several(keys, removeQuery, removedTitle, actor),
    test: (id, values, actor, form) => trial('test', id, values, actor, form),
    look: (id, values, actor, form) => trial('look', id, values, actor, form),
    fetch: ({ id, name }, actor) =>
      runs.start({
        ...{ kind: 'fetch', query: id, name },
        work: async (onLine, signal) => {
          const onProgress = ({ row }: { row?: unknown }): void => onLine(String(row));
          const options = { actor, signal, onProgress };
          const end = await asked().call('fetchmail-run', { id }, options);
          watch.forget();
          return end;
        },
      }),
    async troubles() {
      const [queries, { queries: known, running, failure }] = await Promise.all([
        readQueries(db),
        watch.all(),
      ]);
      const on = queries.filter(({ enabled }) => enabled);
      if (on.length === 0 || failure !== null) return [];
      if (!running) return [{ key: 'overview.trouble.fetcher', values: {} }];
      const since = Date.now() - LONG_FAILING_MS;
      const failing = on.filter(({ id }) => Date.parse(known[id]?.failingSince ?? '') < since);
      const [first] = failing;
      if (first === undefined) return [];
      const values = { name: first.name, count: failing.length };
      return [{ key: 'overview.trouble.fetchmail', values }];
    },
    async losses(domains) {
      const queries = await readQueries(db);
      return queries.flatMap(({ name, address, localDomains }): Words[] => [
        ...domains
          .filter((domain) => localDomains.includes(domain))
          .map((domain) => ({
            key: 'domains.loss.query',
            values: { name, domain: toUnicodeDomain(domain) },
          })),
        ...(address !== '' && domains.includes(splitAddress(address).domain ?? '')
          ? [
              {
                key: 'domains.loss.queryAddress',
                values: { name, address: displayAddress(address) },
              },
            ]
          : []),
      ]);
    },
    async leadingTo(aliases) {
      const queries = await readQueries(db);
      return queries.filter(({ alias }) => aliases.includes(alias)).map(({ name }) => name);
    },
    sealAgain: (row, secret) => passwords.seal(secret, valuesOf(row)),
    sealPassword: (secret, query) => passwords.seal(secret, query),
    close: () => runs.close(),
  };
}

/** Without what only the database knows. */
function settingsOf(values: QueryValues): QueryValues {
  const pairs = QUERY_FIELDS.map((field) => [field, values[field]] as const);
  return Object.fromEntries(pairs) as unknown as QueryValues;
}

/** Whether two queries take mail out of one mailbox. */
export function sameMailbox(a: QueryValues, b: QueryValues): boolean {
  return (
    a.server === b.server &&
    a.protocol === b.protocol &&
    effectivePort(a) === effectivePort(b) &&
    a.remoteUser === b.remoteUser &&
    (a.folders.length === 0
      ? b.folders.length === 0
      : a.folders.some((folder) => b.folders.includes(folder))) &&
    a.localDomains.join() === b.localDomains.join()
  );
}

/** What the helper refuses about a query, a person can put right. */
function asProblem(error: unknown): unknown {
  if (!(error instanceof HelperError) || !error.key.startsWith('fetchmail.problem.')) return error;
  const field = typeof error.values['field'] === 'string' ? error.values['field'] : '';
  return new UserError({ key: error.key, values: {}, field }, { cause: error });
}
