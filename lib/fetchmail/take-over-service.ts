/**
 * Taking over a fetchmail that somebody else set up. At no moment do both fetch, and at no moment is a mailbox forgotten:
 * the queries are saved switched off, the old daemon is ended and its file put aside, and then they are switched on.
 */
import type { Change } from '../changes/change.js';
import { noHelper } from '../changes/failures.js';
import type { RowKey } from '../changes/rows.js';
import type { Helper } from '../client/helper.js';
import { HelperError, UserError } from '../errors.js';
import type { QueryValues } from './schema.js';
import { sameMailbox, type FetchmailService } from './service.js';

export interface TakeoverEntry {
  readonly poll: string;
  readonly user: string;
  readonly seenAs: string;
  /** Null when it cannot become one. */
  readonly query: QueryValues | null;
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
        entries.push({ ...entry, query });
        continue;
      }
      const wanted = await fetchmail.findRecipient(query);
      const [problem] = await fetchmail.problems(wanted);
      const same = present.find((one) => sameMailbox(one, wanted));
      if (same !== undefined) {
        const taken = { name: same.name };
        entries.push({ ...entry, query: null, reason: 'fetchmail.problem.taken', values: taken });
      } else if (problem !== undefined) {
        const { key, values: named } = problem;
        entries.push({ ...entry, query: null, reason: key, values: named });
      } else {
        entries.push({ ...entry, query: wanted });
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
      const off = wanted.map(({ query }) => ({ ...query, enabled: false }));
      const { change, keys } = await fetchmail.addAll(off, actor);
      const heirs = wanted.map(({ seenAs }, index) => ({ id: keys[index]?.id ?? '', seenAs }));
      try {
        await helper.call('fetchmailrc-retire', { digest, heirs }, { actor });
      } catch (error) {
        await goBack(helper, digest, keys, actor);
        throw error;
      }
      const on = keys.filter((_, index) => wanted[index]?.query.enabled === true);
      return on.length === 0 ? change : fetchmail.switchAll(on, true, actor);
    },
  };
}

function meanwhile(): UserError {
  return new UserError({ key: 'takeover.error.meanwhile', values: {} });
}
