/**
 * The settings of one section as a whole: read from their rows, and written so that the rows say exactly that. What
 * taking over, backup and restore know of a section; each feature gives one of these.
 */
import type Joi from 'joi';
import type { Knex } from 'knex';
import type { TouchedRow } from '../changes/change.js';
import { NEVER_SAVED, readSettings, writeSettings } from './store.js';

/** A secret that a section has. The name is the field's, as `smarthost/password`. */
export interface HeldSecret {
  readonly name: string;
  /** Which account it belongs to, as people read it. */
  readonly about: string;
}

/** What becomes of a secret that the file does not hold: entered anew, or the login goes with it. */
export type GivenSecret = { readonly box: string } | 'without';

export interface HoldingSecrets<Value> {
  /** The secrets that are set. */
  of(value: Value): readonly HeldSecret[];
  /** The sealed box of one of them. */
  box(value: Value, name: string): string;
  /** The value without any box, as it may leave the machine. */
  strip(value: Value): Value;
  /**
   * The value with its boxes again: those given, and those of `present` that may go on being used. `missing` must be
   * entered first.
   */
  fill(
    value: Value,
    present: Value | null,
    given: ReadonlyMap<string, GivenSecret>,
  ): { readonly value: Value; readonly missing: readonly HeldSecret[] };
  /** Seals one to where it will be used. Throws `UserError` when it cannot be used there. */
  seal(value: Value, name: string, secret: string): Promise<string>;
}

export interface Holding<Value = unknown> {
  readonly section: string;
  /** Refuses anything a form would refuse; boxes may be missing. */
  readonly schema: Joi.Schema<Value>;
  /** Null while nothing was ever saved. */
  read(db: Knex): Promise<Value | null>;
  /** Whether there is nothing in it, as before anything was saved; absent where what is saved always says something. */
  isEmpty?(value: Value): boolean;
  /** Rows that say so already are not touched. */
  write(trx: Knex.Transaction, value: Value, actor: string): Promise<readonly TouchedRow[]>;
  /**
   * What the helper reads on the machine, with what only `present` knows of it; null where it would become nothing of
   * its own. Absent where nothing on the machine can become these settings.
   */
  fromMachine?(settings: unknown, present: Value | null): Value | null;
  readonly secrets?: HoldingSecrets<Value>;
}

/** A section that is one form: its value are its settings. */
export function createFormHolding<Settings extends object>(
  section: string,
  schema: Joi.Schema<Settings>,
  more: Pick<Holding<Settings>, 'secrets'> & {
    readonly read?: (db: Knex) => Promise<Settings | null>;
  } = {},
): Holding<Settings> {
  const { read = async (db) => (await readSettings<Settings>(db, section))?.settings ?? null } =
    more;
  return {
    section,
    schema,
    read,
    write: async (trx, value, actor) => {
      const version = (await readSettings(trx, section))?.version ?? NEVER_SAVED;
      const settings = value as Readonly<Record<string, unknown>>;
      return writeSettings(trx, section, settings, { actor, version });
    },
    fromMachine: (settings) => settings as Settings,
    ...(more.secrets ? { secrets: more.secrets } : {}),
  };
}
