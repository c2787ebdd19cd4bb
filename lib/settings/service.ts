/**
 * A section with one form and one row: what holds now, and saving it. Each such feature makes one of these.
 */
import { isDeepStrictEqual } from 'node:util';
import type Joi from 'joi';
import type { Knex } from 'knex';
import type { Change, Intent, Preview } from '../changes/change.js';
import type { Changes } from '../changes/service.js';
import type { HelperError } from '../errors.js';
import type { Look, Machine, MachineView } from '../machine/service.js';
import type { Unclear } from '../sections/section.js';
import type { Words } from '../words.js';
import { NEVER_SAVED, readSettings, writeSettings } from './store.js';

/** Beside saved settings the machine's view only explains, and may be this old. Milliseconds. */
const EXPLAINING_AGE_MS = 3_000;
/** Settings that were never saved are the machine's own. Milliseconds. */
const READING_AGE_MS = 1_000;

export interface Current<Settings> {
  readonly settings: Settings;
  /** `NEVER_SAVED` while nothing was. */
  readonly version: number;
  /** Saved by whom; `machine` and `unknown` tell where unsaved settings come from. */
  readonly source: 'saved' | 'machine' | 'unknown';
  readonly saved: { readonly by: string; readonly at: Date } | null;
  /** What the form cannot express, and saving would therefore change. */
  readonly unclear: readonly Unclear[];
  readonly machine: MachineView | null;
  /** Why the machine's view is old or missing; saving is not possible then. */
  readonly failure: HelperError | null;
}

export interface Wanted<Settings> {
  readonly settings: Settings;
  /** The version the form was shown with. */
  readonly version: number;
  readonly actor: string;
}

export interface SettingsService<Settings> {
  current(): Promise<Current<Settings>>;
  /**
   * Saves as one change, and returns it when it is settled; null when nothing differs from what was saved.
   * Throws `ConflictError` for another version, `HelperError` when the change was refused.
   */
  save(wanted: Wanted<Settings>): Promise<Change | null>;
  preview(wanted: Wanted<Settings>): Promise<Preview>;
}

/** The part of the changes service that is needed here. */
export type Saving = Pick<Changes, 'save' | 'preview'>;

export interface SettingsParts<Settings extends object> {
  readonly section: string;
  readonly db: Knex;
  readonly changes: Saving;
  readonly machine: Machine;
  /** Shown while neither was anything saved nor did the helper ever answer. */
  readonly fallback: Settings;
  /** What can be saved; what the machine has may go beyond it. */
  readonly schema: Joi.ObjectSchema<Settings>;
  /** The sentence of the history. */
  readonly title: (before: Settings | null, after: Settings) => Words;
}

export function createSettingsService<Settings extends object>({
  section,
  db,
  changes,
  machine,
  fallback,
  schema,
  title,
}: SettingsParts<Settings>): SettingsService<Settings> {
  const current = async (): Promise<Current<Settings>> => {
    const stored = await readSettings<Settings>(db, section);
    const look = await machine.look(stored === null ? READING_AGE_MS : EXPLAINING_AGE_MS);
    const seen = { machine: look.view, failure: look.failure };
    if (stored === null) return { ...unsaved(look), ...seen };
    return {
      settings: stored.settings,
      version: stored.version,
      source: 'saved',
      saved: { by: stored.updatedBy, at: stored.updatedAt },
      unclear: [],
      ...seen,
    };
  };

  const unsaved = ({
    view,
  }: Look): Pick<Current<Settings>, 'settings' | 'version' | 'source' | 'saved' | 'unclear'> => {
    const reading = view?.sections[section];
    return {
      settings: reading === undefined ? fallback : (reading.settings as Settings),
      version: NEVER_SAVED,
      source: reading === undefined ? 'unknown' : 'machine',
      saved: null,
      unclear: reading?.unclear ?? [],
    };
  };

  const intent = (before: Settings | null, wanted: Wanted<Settings>): Intent => {
    const { settings, version, actor } = wanted;
    return {
      sections: [section],
      title: title(before, settings),
      actor,
      write: (trx) =>
        writeSettings(trx, section, settings as Readonly<Record<string, unknown>>, {
          version,
          actor,
        }),
    };
  };

  /**
   * Before the first save of a section the machine's own settings become its first entry in the history, so that there
   * is something to go back to. What was set by hand and could not be saved is passed over: it must not stand in the way of
   * what replaces it. Returns what holds then.
   */
  const adopt = async (now: Current<Settings>, wanted: Wanted<Settings>): Promise<number> => {
    const { settings, source } = now;
    const first = source === 'machine' && wanted.version === NEVER_SAVED;
    if (!first || isDeepStrictEqual(settings, wanted.settings)) return wanted.version;
    if (schema.validate(settings, { convert: false }).error) return wanted.version;
    const { rows } = await changes.save(intent(null, { ...wanted, settings }));
    return Number(rows[0]?.after?.version ?? NEVER_SAVED);
  };

  return {
    current,
    async save(wanted) {
      const now = await current();
      const same = now.source === 'saved' && isDeepStrictEqual(now.settings, wanted.settings);
      if (same && now.version === wanted.version) return null;
      try {
        const version = await adopt(now, wanted);
        const before = version === NEVER_SAVED ? null : now.settings;
        return await changes.save(intent(before, { ...wanted, version }));
      } finally {
        machine.forget();
      }
    },
    preview: async (wanted) => changes.preview(intent(null, wanted)),
  };
}
