/**
 * Backup and restore of all settings. A file holds no secret; restoring is one change through the one safe apply, so it
 * comes whole or not at all, and a second time it finds nothing to do.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Knex } from 'knex';
import type { Change, Intent, Preview, TouchedRow } from '../changes/change.js';
import type { Changes } from '../changes/service.js';
import { UserError } from '../errors.js';
import type { Machine } from '../machine/service.js';
import type { GivenSecret, HeldSecret, Holding } from '../settings/holding.js';
import { formatBackup, parseBackup, type BackupFile } from './file.js';
import { createWaitingFiles } from './waiting.js';

export interface BackupSummary {
  /** Sections of which a file made now would hold anything. */
  readonly sections: readonly string[];
  /** Secrets it would leave out. */
  readonly secrets: readonly HeldSecret[];
}

/** A secret as somebody typed it for a restore; '' when nothing was typed. */
export type TypedSecrets = ReadonlyMap<
  string,
  { readonly text: string; readonly without: boolean }
>;

export interface RestoreLook {
  readonly file: BackupFile;
  /** Secrets that must be entered, or left out with their login. */
  readonly missing: readonly HeldSecret[];
  /** Null when everything is as in the file already. */
  readonly preview: Preview | null;
}

export interface BackupService {
  summary(): Promise<BackupSummary>;
  /** The file's text. `sealed`: boxes stay in, for root's command line, which opens them. */
  make(options?: { readonly sealed?: boolean }): Promise<string>;
  /** Reads a file and lets it wait. Throws `UserError` at the field `file`. */
  receive(text: string, owner: string): Promise<string>;
  /** What restoring would change. Throws `UserError` when the file waits no more, `HelperError`. */
  look(reference: string, owner: string): Promise<RestoreLook>;
  /** Null when there was nothing to restore. Throws `UserError` at each secret that is missing, `HelperError`. */
  restore(reference: string, typed: TypedSecrets, owner: string): Promise<Change | null>;
  /** The same at once, for a file that holds its sealed secrets. */
  restoreText(text: string, actor: string): Promise<Change | null>;
}

interface Wanted {
  readonly holding: Holding;
  readonly value: unknown;
}

export function createBackupService({
  db,
  changes,
  machine,
  holdings,
}: {
  readonly db: Knex;
  readonly changes: Pick<Changes, 'save' | 'preview'>;
  readonly machine: Pick<Machine, 'forget'>;
  readonly holdings: readonly Holding[];
}): BackupService {
  const waiting = createWaitingFiles();

  /** All that was ever saved, as it was at one moment. */
  const readAll = (): Promise<readonly Wanted[]> =>
    db.transaction(
      async (trx) => {
        const all: Wanted[] = [];
        for (const holding of holdings) {
          const value = await holding.read(trx);
          if (value !== null) all.push({ holding, value });
        }
        return all;
      },
      { readOnly: true, isolationLevel: 'repeatable read' },
    );

  const secretsIn = (all: readonly Wanted[]): readonly HeldSecret[] =>
    all.flatMap(({ holding, value }) => holding.secrets?.of(value) ?? []);

  /** The values of a file, checked by the schema of each section. Throws `UserError` at the field `file`. */
  const valuesOf = ({ sections }: BackupFile): readonly Wanted[] =>
    Object.entries(sections).map(([section, value]) => {
      const holding = holdings.find((one) => one.section === section);
      if (!holding) throw fileFault('section', { section: section.slice(0, 64) });
      const checked = holding.schema.validate(value, { convert: false });
      if (checked.error) {
        const field = checked.error.details[0]?.path.join('.') ?? '';
        throw fileFault('value', { section, field: field.slice(0, 100) || '–' });
      }
      return { holding, value: checked.value };
    });

  /** Only what differs from what is saved; its secrets filled in. */
  const plan = async (
    file: BackupFile,
    given: ReadonlyMap<string, GivenSecret>,
  ): Promise<{ readonly wanted: readonly Wanted[]; readonly missing: readonly HeldSecret[] }> => {
    const wanted: Wanted[] = [];
    const missing: HeldSecret[] = [];
    for (const { holding, value } of valuesOf(file)) {
      const present = await holding.read(db);
      const filled = holding.secrets?.fill(value, present, given) ?? { value, missing: [] };
      missing.push(...filled.missing);
      if (!isDeepStrictEqual(present, filled.value)) wanted.push({ holding, value: filled.value });
    }
    return { wanted, missing };
  };

  const intentFor = (wanted: readonly Wanted[], madeAt: string, actor: string): Intent => ({
    sections: wanted.map(({ holding }) => holding.section),
    title: { key: 'backup.change', values: { madeAt: Date.parse(madeAt) } },
    actor,
    write: async (trx) => {
      const touched: TouchedRow[] = [];
      for (const { holding, value } of wanted) {
        touched.push(...(await holding.write(trx, value, actor)));
      }
      return touched;
    },
  });

  const found = (reference: string, owner: string): BackupFile => {
    const file = waiting.find(reference, owner);
    if (file === null) throw fileFault('gone', {});
    return file;
  };

  const seal = async (file: BackupFile, typed: TypedSecrets): Promise<Map<string, GivenSecret>> => {
    const given = new Map<string, GivenSecret>();
    for (const { holding, value } of valuesOf(file)) {
      for (const { name } of holding.secrets?.of(value) ?? []) {
        const { text = '', without = false } = typed.get(name) ?? {};
        if (text !== '' && holding.secrets) {
          given.set(name, { box: await holding.secrets.seal(value, name, text) });
        } else if (without) given.set(name, 'without');
      }
    }
    return given;
  };

  const save = async (
    file: BackupFile,
    given: ReadonlyMap<string, GivenSecret>,
    actor: string,
  ): Promise<Change | null> => {
    const { wanted, missing } = await plan(file, given);
    if (missing.length > 0) {
      throw new UserError(
        missing.map(({ name, about }) => ({
          key: 'backup.problem.secret',
          values: { about },
          field: name,
        })),
      );
    }
    if (wanted.length === 0) return null;
    try {
      return await changes.save(intentFor(wanted, file.madeAt, actor));
    } finally {
      machine.forget();
    }
  };

  return {
    summary: async () => {
      const all = await readAll();
      const full = all.filter(({ holding, value }) => holding.isEmpty?.(value) !== true);
      return { sections: full.map(({ holding }) => holding.section), secrets: secretsIn(all) };
    },
    make: async ({ sealed = false } = {}) => {
      const all = await readAll();
      const sections = all.map(({ holding, value }) => {
        const bare = sealed ? value : (holding.secrets?.strip(value) ?? value);
        return [holding.section, bare] as const;
      });
      return formatBackup({
        madeAt: new Date().toISOString(),
        secrets: secretsIn(all),
        sections: Object.fromEntries(sections),
      });
    },
    receive: async (text, owner) => {
      const file = parseBackup(text);
      valuesOf(file);
      return Promise.resolve(waiting.keep(file, owner));
    },
    look: async (reference, owner) => {
      const file = found(reference, owner);
      const { missing } = await plan(file, new Map());
      // What is not entered yet is shown without its login: only the helper could open another box.
      const left = new Map(missing.map(({ name }) => [name, 'without'] as const));
      const { wanted } = await plan(file, left);
      if (wanted.length === 0 && missing.length === 0) return { file, missing, preview: null };
      const intent = intentFor(wanted, file.madeAt, owner);
      return { file, missing, preview: await changes.preview(intent) };
    },
    restore: async (reference, typed, owner) => {
      const file = found(reference, owner);
      const change = await save(file, await seal(file, typed), owner);
      waiting.drop(reference);
      return change;
    },
    restoreText: (text, actor) => save(parseBackup(text), new Map(), actor),
  };
}

function fileFault(kind: string, values: Readonly<Record<string, string>>): UserError {
  return new UserError({ key: `backup.problem.${kind}`, values, field: 'file' });
}
