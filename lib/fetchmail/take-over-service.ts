/**
 * Taking over a fetchmail that somebody else set up. At no moment do both fetch, and at no moment is a mailbox forgotten:
 * the queries are saved switched off, the old daemon is ended and its file put aside, and then they are switched on. Where
 * that was cut short while the file was still in its place, those that wait switched off are taken up again.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Change } from '../changes/change.js';
import { noHelper } from '../changes/failures.js';
import type { RowKey } from '../changes/rows.js';
import type { Helper } from '../client/helper.js';
import { HelperError, UserError } from '../errors.js';
import { QUERY_FIELDS, type QueryValues } from './schema.js';
import { sameMailbox, type FetchmailService } from './service.js';
import type { StoredQuery } from './store.js';

export interface TakeoverEntry {
  readonly poll: string;
  readonly user: string;
  readonly seenAs: string;
  /** Null when it cannot become one. */
  readonly query: QueryValues | null;
  /** It is here already, switched off, from a take over that was cut short: it is switched on. Null where it is not. */
  readonly waits: StoredQuery | null;
  /** Why not, or '' */
  readonly reason: string;
  readonly values: Readonly<Record<string, string | number>>;
  /** Options that are left out. */
  readonly without: readonly string[];
}

export interface FetchmailTakeoverLook {
  readonly file: string;
  readonly digest: string;
  readonly running: boolean;
  /** What fetchmail said when it does not understand the file. */
  readonly complaint: string;
  readonly entries: readonly TakeoverEntry[];
}

export interface FetchmailTakeover {
  /** Null where there is none. Throws `HelperError`. */
  look(actor: string): Promise<FetchmailTakeoverLook | null>;
  /** Throws `UserError` when the file is not as it was shown, `HelperError` when something could not be done. */
  accept(digest: string, actor: string): Promise<Change>;
}

export function createFetchmailTakeover({
  helper,
  fetchmail,
}: {
  readonly helper: Helper | null;
  readonly fetchmail: FetchmailService;
}): FetchmailTakeover {
  const look = async (actor: string): Promise<FetchmailTakeoverLook | null> => {
    if (helper === null) throw noHelper();
    const read = await helper.call('fetchmailrc', {}, { actor });
    if (read === null) return null;
    const present = (await fetchmail.list()).rows.map(({ query }) => query);
    const entries: TakeoverEntry[] = [];
    for (const { query, ...entry } of read.found) {
      if (query === null) {
        entries.push({ ...entry, query, waits: null });
        continue;
      }
      const wanted = await fetchmail.findRecipient(query);
      const [problem] = await fetchmail.problems(wanted);
      const same = present.find((one) => sameMailbox(one, wanted));
      const refused = { query: null, waits: null };
      if (same !== undefined && !isWaiting(same, wanted)) {
        const taken = { name: same.name };
        entries.push({ ...entry, ...refused, reason: 'fetchmail.problem.taken', values: taken });
      } else if (problem !== undefined) {
        const { key, values: named } = problem;
        entries.push({ ...entry, ...refused, reason: key, values: named });
      } else {
        entries.push({ ...entry, query: wanted, waits: same ?? null });
      }
    }
    const { file, digest, running, complaint } = read;
    return { file, digest, running, complaint, entries };
  };

  /** While the file is where it was, the old one goes on, and what came from it must not stay: it could be tried no more. */
  const goBack = async (
    asked: Helper,
    digest: string,
    keys: readonly RowKey[],
    actor: string,
  ): Promise<void> => {
    try {
      const present = await asked.call('fetchmailrc', {}, { actor });
      if (present?.digest === digest) await fetchmail.removeAll(keys, actor);
    } catch (error) {
      // Switched off they do no harm, and why it failed at first says more.
      if (!(error instanceof HelperError)) throw error;
    }
  };

  return {
    look,
    async accept(digest, actor) {
      const seen = await look(actor);
      if (helper === null || seen === null || seen.digest !== digest) throw meanwhile();
      const wanted = seen.entries.flatMap((entry) =>
        entry.query === null ? [] : [{ ...entry, query: entry.query }],
      );
      if (wanted.length === 0) throw meanwhile();
      const fresh = wanted.filter(({ waits }) => waits === null);
      const added =
        fresh.length === 0
          ? null
          : await fetchmail.addAll(
              fresh.map(({ query }) => ({ ...query, enabled: false })),
              actor,
            );
      const keys = wanted.map((entry): RowKey => {
        const found = entry.waits ?? added?.keys[fresh.indexOf(entry)];
        if (found === undefined) throw new Error('a query got no id');
        return { id: found.id, version: found.version };
      });
      const heirs = wanted.map(({ seenAs }, index) => ({ id: keys[index]?.id ?? '', seenAs }));
      try {
        await helper.call('fetchmailrc-retire', { digest, heirs }, { actor });
      } catch (error) {
        if (added !== null) await goBack(helper, digest, added.keys, actor);
        throw error;
      }
      const on = keys.filter((_, index) => wanted[index]?.query.enabled === true);
      if (on.length > 0) return fetchmail.switchAll(on, true, actor);
      if (added === null) throw new Error('what waits is switched on');
      return added.change;
    },
  };
}

/** Whether a query that is here is this very one, saved by a take over that was cut short. */
function isWaiting(present: QueryValues, wanted: QueryValues): boolean {
  const fields = QUERY_FIELDS.filter((field) => field !== 'enabled' && field !== 'remotePassword');
  return (
    wanted.enabled &&
    !present.enabled &&
    fields.every((field) => isDeepStrictEqual(present[field], wanted[field]))
  );
}

function meanwhile(): UserError {
  return new UserError({ key: 'takeover.error.meanwhile', values: {} });
}
