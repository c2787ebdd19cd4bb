/**
 * What one save is. See `service.ts` for how it is driven: intent, apply, settle.
 */
import type { Knex } from 'knex';
import type { HelperFailure, MessageValues } from '../errors.js';
import type { ApplyResult, EditDecisions } from '../privileged/protocol.js';

export type ChangeState = 'applying' | 'applied' | 'refused';

/**
 * A database row as `to_jsonb` gives it (see `rows.ts`). Every settings table has `id` (text or bigint), `version`,
 * `updated_at` and `updated_by`.
 */
export type Row = Readonly<Record<string, unknown>>;

/** One row that a change wrote: `before` null means inserted, `after` null means deleted. */
export interface TouchedRow {
  readonly table: string;
  readonly id: string;
  readonly before: Row | null;
  readonly after: Row | null;
}

/** What stands in a shown image in place of a secret; `changed` in an `after` whose `before` had another secret. */
export interface MaskedSecret {
  readonly secret: 'set' | 'none' | 'changed';
}

/** What is on record of what somebody wants to save. */
export interface IntentHead extends EditDecisions {
  /** Section ids whose configuration follows from the touched rows. */
  readonly sections: readonly string[];
  /** The sentence for the history: a translation key and its values. */
  readonly title: { readonly key: string; readonly values: MessageValues };
  /** Login of the person. */
  readonly actor: string;
  /** The change this one takes back, if it does. */
  readonly undoes?: string;
  /** The person compared after a divergence, and decided that the system shall follow this database. */
  readonly adopt?: boolean;
}

/** What somebody wants to save. */
export interface Intent extends IntentHead {
  /**
   * Runs in one transaction: checks versions (throws `ConflictError`), writes the rows, says which.
   * Called again from the start when another change was in flight, so it must read what it needs itself.
   */
  write(trx: Knex.Transaction): Promise<readonly TouchedRow[]>;
}

/** The same for rows that are too many to be held at once. */
export interface PagedIntent extends IntentHead {
  /**
   * Like `write`, page by page. No row may be written twice, and none may take the name that another one had: each page
   * goes to the helper as it is.
   */
  writePages(trx: Knex.Transaction): AsyncIterable<readonly TouchedRow[]>;
}

/** Paths name a column (`password`) or something inside a jsonb column (`value.password`). */
export interface TableSecrets {
  /** What holds sealed boxes. */
  readonly secrets: readonly string[];
  /** What the boxes are bound to: an undo that changes one of these asks for the secrets again. */
  readonly bound?: readonly string[];
}

/** How a section's settings are read from the database. One per section, given to the changes service. */
export interface SettingsSource {
  readonly section: string;
  /** What its rows are: `table`, or `table/id` for one row of a table that several sections share. */
  readonly tables: Readonly<Record<string, TableSecrets>>;
  /** The section's whole settings as the helper's protocol wants them; null when nothing was ever saved. */
  collect(db: Knex): Promise<unknown>;
  /** Where the section has contents. */
  readonly contents?: ContentsSource;
  /** Where the section is a list of rows. */
  readonly rows?: RowsSource;
}

/** How a section that is a list of rows follows from the rows of its table, so that single ones can be sent. */
export interface RowsSource {
  readonly table: string;
  /** A row as `collect` gives it. */
  row(image: Row): unknown;
}

/** How the entries of a section's contents follow from rows. */
export interface ContentsSource {
  /** What changed rows mean as entries by key; null for one that goes. Rows of other tables are passed over. */
  delta(rows: readonly TouchedRow[]): ReadonlyMap<string, unknown>;
  /** All entries there are, page by page in the order of their keys. */
  all(db: Knex): AsyncIterable<readonly (readonly [key: string, entry: unknown])[]>;
}

export interface Change {
  readonly id: string;
  readonly number: number;
  readonly actor: string;
  readonly at: Date;
  readonly settledAt: Date | null;
  readonly state: ChangeState;
  readonly sections: readonly string[];
  readonly title: { readonly key: string; readonly values: MessageValues };
  /**
   * Before and after of the touched rows; in place of a secret stands a `MaskedSecret`. Empty for whom a settled change
   * is told of whose rows are too many to be held.
   */
  readonly rows: readonly TouchedRow[];
  readonly undoes: string | null;
  readonly result: ApplyResult | null;
  readonly failure: HelperFailure | null;
}

/** What the system would do: nothing was written, in the database or outside. */
export interface Preview {
  readonly rows: readonly TouchedRow[];
  readonly result: ApplyResult;
}

/** A change in a list: without its rows, of which there may be many thousands. */
export interface ChangeSummary extends Omit<Change, 'rows'> {
  readonly rowCount: number;
}

/** The change in flight, with what is needed to apply it again. */
export interface ApplyingChange extends ChangeSummary {
  readonly decided: EditDecisions;
}

export interface HistoryFilter {
  readonly section?: string;
  readonly actor?: string;
  readonly state?: ChangeState;
}

/** Newest first. `before` continues after the last change of the page before. */
export interface HistoryPage {
  readonly before?: number;
  readonly limit?: number;
}

export interface History {
  readonly changes: readonly ChangeSummary[];
  /** The `before` of the next page; null on the last one. */
  readonly next: number | null;
}

/**
 * Settings and system do not follow each other: somebody has to compare and decide.
 * `foreign`: the system was last changed from another database. `ahead`: from a later state of this database (which was
 * put back from a backup). `behind`: the system was put back, or never got what this database says. `missing`: the
 * system remembers nothing (a new machine).
 */
export interface Divergence {
  readonly kind: 'foreign' | 'ahead' | 'behind' | 'missing';
  /** The number the system remembers; null when it remembers nothing. */
  readonly systemChange: number | null;
  readonly noticedAt: string;
}

/** What recovery at start found. */
export interface Recovery {
  /** The unfinished change, brought to its end; null when there was none. */
  readonly settled: Change | null;
  readonly divergence: Divergence | null;
  /** Why the unfinished change must wait (the helper is away, another process has it); null when nothing waits. */
  readonly waiting: HelperFailure | 'elsewhere' | null;
}
