/**
 * Lookup tables: built beside their place as new files, read back whole, then swapped in by rename.
 * Any word of `postmap` on stderr is a failure: it returns 0 for bad lines and duplicates (postmap(1)).
 */
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { HelperError } from '../../errors.js';
import { foldCase } from '../../sections/fold-case.js';
import type { TableContent } from '../../sections/section.js';
import { readText, statusOf } from '../files.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { digestOf } from '../state.js';
import { NOTHING_DECIDED, undecided, type Decided } from './decided.js';
import type { Replacement } from './journal.js';
import { holdsExactly } from './table-pages.js';

export const POSTMAP = '/usr/sbin/postmap';
/** How long one table may take, in milliseconds (300,000 entries take about a second). */
export const BUILD_TIMEOUT_MS = 120_000;

export interface BuiltTables {
  readonly replacements: readonly Replacement[];
  /** For the report. */
  readonly changed: readonly {
    readonly file: string;
    readonly secret: boolean;
    /** The lines that change, where they are few. */
    readonly diff?: string;
  }[];
}

export function tableFile(paths: Paths, name: string): string {
  return `${paths.ownConfigDir}/${name}.lmdb`;
}

/** The table as Postfix' tools name it. */
export function tableMap(file: string): string {
  return `lmdb:${file.replace(/\.lmdb$/, '')}`;
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
 * Builds those tables whose entries differ from what they were last built from, or that somebody edited and agreed to
 * lose, and takes away those that are null. Throws at stage `stage`; at `drift` where an edit was to be left.
 */
export async function buildTables(
  tables: ReadonlyMap<string, TableContent | null>,
  paths: Paths,
  { overwrite, leave }: Decided = NOTHING_DECIDED,
): Promise<BuiltTables> {
  const replacements: Replacement[] = [];
  const changed: BuiltTables['changed'][number][] = [];
  for (const [name, table] of tables) {
    const file = tableFile(paths, name);
    const text = table && Buffer.from(tableText(name, table.entries));
    const digest = text === null ? null : digestOf(text);
    const [there, exists] = await Promise.all([readText(digestFile(paths, name)), isThere(file)]);
    const same = there === digest && exists === (table !== null);
    if (same && !overwrite.has(name)) continue;
    if (leave.has(name)) throw undecided([{ name, ours: null, theirs: null }]);
    const secret = table?.secret ?? true;
    const status = { uid: 0, gid: 0, mode: secret ? 0o600 : 0o644 };
    const content = text === null ? null : { built: await buildTable(name, text, secret, paths) };
    replacements.push(
      { file, content, status, table: true, secret },
      { file: digestFile(paths, name), content: digest, status: { ...status, mode: 0o600 } },
    );
    changed.push({ file, secret });
  }
  return { replacements, changed };
}

/**
 * Of a table as it is, when it is not what we built last; null when it is, or we never built it. Nobody can guess from it
 * what stands there. Only a table that was touched after we left it is read.
 */
export async function digestOfEdit(name: string, paths: Paths): Promise<string | null> {
  const built = await readText(digestFile(paths, name));
  if (built === null) return null;
  const [table, note] = await Promise.all(
    [tableFile(paths, name), digestFile(paths, name)].map((file) =>
      stat(file, { bigint: true }).catch(() => null),
    ),
  );
  if (!table) return digestOf('');
  if (note && table.ctimeNs <= note.ctimeNs) return null;
  if ((await digestOfTable(tableFile(paths, name), paths)) === built) return null;
  return digestOf(`${table.ino}/${table.size}/${table.ctimeNs}`);
}

/** A fresh folder only root can enter: a `postmap` of a killed request may still write into the old one. */
export async function makeBuildFolder(paths: Paths): Promise<string> {
  await mkdir(buildFolder(paths), { recursive: true, mode: 0o700 });
  await chmod(paths.ownConfigDir, 0o755);
  await mkdir(`${paths.stateDir}/tables`, { recursive: true, mode: 0o700 });
  return mkdtemp(`${buildFolder(paths)}/`);
}

/** Removes built tables that were not used, and the secrets in them. */
export async function closeBuild(paths: Paths): Promise<void> {
  await rm(buildFolder(paths), { recursive: true, force: true });
}

/**
 * Builds a table from the text `tableText` made and gives the new file. Large ones go through a text file: on stdin
 * `postmap` takes one transaction, and one sync to disk, for every line. Secret ones never stand in a text file.
 */
export async function buildTable(
  name: string,
  text: Buffer,
  secret: boolean,
  paths: Paths,
): Promise<string> {
  const folder = await makeBuildFolder(paths);
  const source = `${folder}/${name}`;
  const file = `${source}.lmdb`;
  await rm(file, { force: true });
  if (!secret) await writeFile(source, text, { mode: 0o644, flag: 'wx' });
  const args = ['-c', paths.configDir, ...(secret ? ['-i'] : []), tableMap(file)];
  const build = await runNative(POSTMAP, args, {
    timeoutMs: BUILD_TIMEOUT_MS,
    ...(secret ? { input: text } : {}),
  });
  if (build.code !== 0 || build.stderr !== '') throw refusedTable(name, build.stderr);
  await chmod(file, secret ? 0o600 : 0o644);
  if (!(await holdsText(file, text, paths))) throw refusedTable(name, '');
  return file;
}

/** Whether a table answers all of this text and no more. Its pages say so at once; where they do not, Postfix is asked. */
export async function holdsText(file: string, text: Buffer, paths: Paths): Promise<boolean> {
  if (await holdsExactly(file, text)) return true;
  return (await digestOfTable(file, paths)) === digestOf(text);
}

/** Digest of all that a table answers, in the order of its keys: that of the text it was built from. */
export async function digestOfTable(file: string, paths: Paths): Promise<string> {
  const hash = createHash('sha256');
  await runNative(POSTMAP, ['-c', paths.configDir, '-s', tableMap(file)], {
    timeoutMs: BUILD_TIMEOUT_MS,
    onStdout: (chunk) => hash.update(chunk),
  });
  return hash.digest('hex');
}

/** The lines of a table in the order of their keys' bytes, which is the order an lmdb table keeps. */
export function tableText(
  name: string,
  entries: Iterable<readonly [key: string, value: string]>,
): string {
  return sortLines(Array.from(entries, ([key, value]) => tableLine(name, key, value)));
}

/** Lines of a table in the order of their keys' bytes: a line ends its key with a tab, which is below every character of one. */
export function sortLines(lines: string[]): string {
  const text = lines.sort(byCodeUnits).join('');
  if (isAscii(text)) return text;
  return lines.sort(byBytes).join('');
}

function byCodeUnits(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

/** What nearly all consist of: no capitals, nothing but ASCII, no blank at either end. */
const PLAIN_KEY = /^[!$-@[-~][!-@[-~]*$/;
const PLAIN_VALUE = /^[!-~](?:[ -~]*[!-~])?$/;

/** One entry as a line. Refuses what `postmap` would read as something else. */
export function tableLine(table: string, key: string, value: string): string {
  return `${tableKey(table, key)}\t${tableValue(table, value)}\n`;
}

/** A key as the table has it. */
export function tableKey(table: string, key: string): string {
  if (PLAIN_KEY.test(key)) return key;
  if (!isTableKey(key)) throw refusedTable(table, '');
  return foldCase(key);
}

export function tableValue(table: string, value: string): string {
  if (PLAIN_VALUE.test(value)) return value;
  // eslint-disable-next-line no-control-regex -- control characters are what this looks for
  const unsafe = /[\u0000-\u0008\u000a-\u001f\u007f]/;
  if (value === '' || unsafe.test(value) || value !== value.trim()) throw refusedTable(table, '');
  return value;
}

/** Whether `postmap` reads a key as it stands: no comment, no quoted key, no continued line. */
export function isTableKey(key: string): boolean {
  return PLAIN_KEY.test(key) || /^[^\s#"\p{Cc}][^\s\p{Cc}]*$/u.test(key);
}

async function isThere(file: string): Promise<boolean> {
  return (await statusOf(file)) !== null;
}

export function refusedTable(table: string, detail: string): HelperError {
  return new HelperError({
    stage: 'stage',
    key: 'helper.stage.table',
    values: { table },
    detail,
    restored: true,
  });
}
