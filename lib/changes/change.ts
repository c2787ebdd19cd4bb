/**
 * What one save is. See `service.ts` for how it is driven: intent, apply, settle.
 */
import type { Knex } from 'knex';
import type { HelperFailure, MessageValues } from '../errors.js';
import type { ApplyResult } from '../privileged/protocol.js';

export type ChangeState = 'applying' | 'applied' | 'refused';

/** A database row as Knex gives it; every settings table has `id` (text or bigint as string) and `version`. */
export type Row = Readonly<Record<string, unknown>>;

/** One row that a change wrote: `before` null means inserted, `after` null means deleted. */
export interface TouchedRow {
  readonly table: string;
  readonly id: string;
  readonly before: Row | null;
  readonly after: Row | null;
}

/** What somebody wants to save. */
export interface Intent {
  /** Section ids whose configuration follows from the touched rows. */
  readonly sections: readonly string[];
  /** The sentence for the history: a translation key and its values. */
  readonly title: { readonly key: string; readonly values: MessageValues };
  /** Login of the person. */
  readonly actor: string;
  /** The change this one takes back, if it does. */
  readonly undoes?: string;
  /** Hand edits the person decided to overwrite (see `ApplyParams.overwrite`). */
  readonly overwrite?: Readonly<Record<string, string>>;
  /**
   * Runs in one transaction: checks versions (throws `ConflictError`), writes the rows, says which.
   * Called again from the start when another change was in flight, so it must read what it needs itself.
   */
  write(trx: Knex.Transaction): Promise<readonly TouchedRow[]>;
}

/** How a section's settings are read from the database. One per section, given to the changes service. */
export interface SettingsSource {
  readonly section: string;
  /** Tables whose rows make up the section, with the columns that hold sealed secrets. */
  readonly tables: Readonly<Record<string, { readonly secrets: readonly string[] }>>;
  /** The section's whole settings as the helper's protocol wants them; null when nothing was ever saved. */
  collect(db: Knex): Promise<unknown>;
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
  /** Before and after of the touched rows; secrets appear as `{ secret: 'set' | 'none' }`. */
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
