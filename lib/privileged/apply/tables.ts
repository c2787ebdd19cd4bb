/**
 * Lookup tables: built beside their place as new files, asked back key by key, then swapped in by rename.
 * Any word of `postmap` on stderr is a failure: it returns 0 for bad lines and duplicates (postmap(1)).
 */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { HelperError } from '../../errors.js';
import type { TableContent } from '../../sections/section.js';
import { readText, statusOf } from '../files.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { digestOf } from '../state.js';
import type { Replacement } from './journal.js';

const POSTMAP = '/usr/sbin/postmap';
/** How long one table may take, in milliseconds (300,000 entries take under two seconds). */
const BUILD_TIMEOUT_MS = 120_000;

export interface BuiltTables {
  readonly replacements: readonly Replacement[];
  /** By table name, for the report. */
  readonly changed: readonly {
    readonly name: string;
    readonly file: string;
    readonly secret: boolean;
  }[];
}

export function tableFile(paths: Paths, name: string): string {
  return `${paths.ownConfigDir}/${name}.lmdb`;
}

/** Where tables are built; on the same disk as their places. */
function buildFolder(paths: Paths): string {
  return `${paths.ownConfigDir}/.build`;
}

/** Digest of the entries a table was built from, kept beside it in the state folder. */
function digestFile(paths: Paths, name: string): string {
  return `${paths.stateDir}/tables/${name}.sha256`;
}

/**
 * Builds those tables whose entries differ from what they were last built from, and takes away those that are null.
 * Throws at stage `stage`.
 */
export async function buildTables(
  tables: ReadonlyMap<string, TableContent | null>,
  paths: Paths,
): Promise<BuiltTables> {
  const replacements: Replacement[] = [];
  const changed: BuiltTables['changed'][number][] = [];
  for (const [name, table] of tables) {
    const file = tableFile(paths, name);
    const lines = table && [...table.entries].map(([key, value]) => tableLine(name, key, value));
    const digest = lines && digestOf(lines.join(''));
    const [there, exists] = await Promise.all([readText(digestFile(paths, name)), isThere(file)]);
    if (there === digest && exists === (table !== null)) continue;
    const secret = table?.secret ?? true;
    const status = { uid: 0, gid: 0, mode: secret ? 0o600 : 0o644 };
    const content = lines && { built: await buildTable(name, lines, status.mode, paths) };
    replacements.push(
      { file, content, status, table: true, secret },
      { file: digestFile(paths, name), content: digest, status: { ...status, mode: 0o600 } },
    );
    changed.push({ name, file, secret });
  }
  return { replacements, changed };
}

/** A fresh folder only root can enter: a `postmap` of a killed request may still write into the old one. */
async function makeBuildFolder(paths: Paths): Promise<string> {
  await mkdir(buildFolder(paths), { recursive: true, mode: 0o700 });
  await chmod(paths.ownConfigDir, 0o755);
  await mkdir(`${paths.stateDir}/tables`, { recursive: true, mode: 0o700 });
  return mkdtemp(`${buildFolder(paths)}/`);
}

/** Removes built tables that were not used, and the secrets in them. */
export async function closeBuild(paths: Paths): Promise<void> {
  await rm(buildFolder(paths), { recursive: true, force: true });
}

async function buildTable(
  name: string,
  lines: readonly string[],
  mode: number,
  paths: Paths,
): Promise<string> {
  const folder = await makeBuildFolder(paths);
  const map = `lmdb:${folder}/${name}`;
  const options = { timeoutMs: BUILD_TIMEOUT_MS };
  const build = await runNative(POSTMAP, ['-c', paths.configDir, '-i', map], {
    ...options,
    input: lines,
  });
  if (build.code !== 0 || build.stderr !== '') throw refused(name, build.stderr);
  const file = `${folder}/${name}.lmdb`;
  await chmod(file, mode);
  const keys = lines.map((line) => `${line.slice(0, line.indexOf('\t'))}\n`);
  const ask = await runNative(POSTMAP, ['-c', paths.configDir, '-q', '-', map], {
    ...options,
    input: keys,
  });
  if (ask.stdout !== lines.join('')) throw refused(name, ask.stderr);
  return file;
}

/** One entry as a line. Refuses what `postmap` would read as something else. */
function tableLine(table: string, key: string, value: string): string {
  const lower = key.toLowerCase();
  // eslint-disable-next-line no-control-regex -- control characters are what this looks for
  const unsafe = /[\u0000-\u0008\u000a-\u001f\u007f]/;
  if (key === '' || /[\s#]/.test(key[0] ?? '') || /\s/.test(key) || unsafe.test(key))
    throw refused(table, '');
  if (value === '' || unsafe.test(value) || value !== value.trim()) throw refused(table, '');
  return `${lower}\t${value}\n`;
}

async function isThere(file: string): Promise<boolean> {
  return (await statusOf(file)) !== null;
}

function refused(table: string, detail: string): HelperError {
  return new HelperError({
    stage: 'stage',
    key: 'helper.stage.table',
    values: { table },
    detail,
    restored: true,
  });
}
