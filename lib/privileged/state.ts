/** What the helper remembers between requests: settings it applied, what it wrote, the last change it finished. */
import { createHash } from 'node:crypto';
import { HelperError } from '../errors.js';
import { ensurePrivateFolder, OWN_FILE, readText, replaceFile } from './files.js';
import type { Paths } from './paths.js';
import type { AppliedRecord } from './protocol.js';

/** What we wrote last, to know our own work from a hand edit. */
export interface Written {
  /** By parameter: its value in main.cf; null: not set there. */
  readonly parameters: Readonly<Record<string, string | null>>;
  /** By list parameter: our elements. */
  readonly lists: Readonly<Record<string, readonly string[]>>;
  /** By `name/type`: the line as `postconf -M` prints it; null: no such service. */
  readonly master: Readonly<Record<string, string | null>>;
  /** By path below the instance's root: digest of the content. */
  readonly files: Readonly<Record<string, string>>;
  /** By path below the instance's root, where the file has one: digest of the recipe of its content. */
  readonly recipes?: Readonly<Record<string, string>>;
  /** By path below the instance's root: what a file that is as we wrote it looks like from outside. */
  readonly stamps?: Readonly<Record<string, string>>;
  /** By path and name in one: the value of a line in a file that is not ours; null: no such line. */
  readonly directives?: Readonly<Record<string, string | null>>;
}

/** The contents of one section as they were last applied; the entries themselves lie in its source text. */
export interface AppliedContents {
  readonly digest: string;
  /** What they were rendered with (see `SectionContents.context`). */
  readonly context: string;
  /** Bytes of the source text, and how many of them were appended since it was last written whole. */
  readonly bytes: number;
  readonly appended: number;
  /** By table name: what the file looks like from outside, to know our own work from a hand edit. */
  readonly tables: Readonly<Record<string, string>>;
}

export interface Making {
  /** See `program.ts`. */
  readonly program: string | null;
  /** See `SectionOutput.around`. */
  readonly around?: string | undefined;
}

export interface HelperState {
  readonly sections: Readonly<Record<string, unknown>>;
  readonly written: Written;
  /** By parameter: what main.cf said before a section began to speak of it; null: nothing. */
  readonly originals: Readonly<Record<string, string | null>>;
  readonly contents: Readonly<Record<string, AppliedContents>>;
  /** By section that is a list of rows: what names them as they were last applied. */
  readonly rows?: Readonly<Record<string, string>>;
  /** By section: who checked its settings and made what follows from them, and what besides them it was made of. */
  readonly makings?: Readonly<Record<string, Making>>;
  readonly record: AppliedRecord | null;
  /** The last swap that was finished; an open journal of this name needs nothing put back. */
  readonly swap: string | null;
}

/** What is remembered before the first change. */
export const EMPTY_STATE: HelperState = {
  sections: {},
  written: { parameters: {}, lists: {}, master: {}, files: {} },
  originals: {},
  contents: {},
  record: null,
  swap: null,
};

function stateFile(paths: Paths): string {
  return `${paths.stateDir}/applied.json`;
}

/** Throws a `HelperError` when the file is damaged: guessing would overwrite hand edits. */
export async function readState(paths: Paths): Promise<HelperState> {
  const text = await readText(stateFile(paths));
  if (text === null) return EMPTY_STATE;
  try {
    const state = { ...EMPTY_STATE, ...(JSON.parse(text) as Partial<HelperState>) };
    if (typeof state.sections !== 'object' || typeof state.written !== 'object') {
      throw new TypeError('not the helper’s state');
    }
    return state;
  } catch (cause) {
    throw new HelperError(
      {
        stage: 'run',
        key: 'helper.run.stateDamaged',
        values: { file: stateFile(paths) },
        detail: String(cause),
        restored: true,
      },
      { cause },
    );
  }
}

/** Writes the state; on disk when it resolves. This is the moment at which a change counts as done. */
export async function writeState(paths: Paths, state: HelperState): Promise<void> {
  await ensurePrivateFolder(paths.stateDir);
  await replaceFile(stateFile(paths), JSON.stringify(state), OWN_FILE);
}

export function digestOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
