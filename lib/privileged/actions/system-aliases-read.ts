/**
 * `system-aliases-read`: has Postfix know what stands in the system's own aliases file, as newaliases(1) does. The table is
 * built beside its place and asked for every name before it gets there; while postalias(1) has a word to say about the
 * file, the old one stays.
 */
import { copyFile, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import Joi from 'joi';
import { HelperError, type MessageValues } from '../../errors.js';
import { splitList } from '../../sections/elements.js';
import {
  ensurePrivateFolder,
  readText,
  removeIfThere,
  statusOf,
  syncFile,
  syncFolder,
  writeSynced,
  type FileStatus,
} from '../files.js';
import { takeLock } from '../lock.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { readConfig } from '../postfix/config-view.js';
import { contentsStampOf } from '../stamp.js';
import { defineAction } from './action.js';
import { parseAliases } from './system-aliases.js';

const POSTALIAS = '/usr/sbin/postalias';
/** How long it may take, in milliseconds: 100,000 lines take a fifth of a second. */
const POSTALIAS_MS = 30_000;
/** The types of tables that are files of their own, with the end of their names (DATABASE_README). */
const ENDS: Readonly<Record<string, string>> = {
  ...{ hash: '.db', btree: '.db', lmdb: '.lmdb', cdb: '.cdb' },
};
const TABLE: FileStatus = {
  mode: 0o644,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
};

export const systemAliasesReadAction = defineAction({
  timeoutMs: 120_000,
  changes: 'told',
  params: Joi.object<Record<string, never>>({}),
  run: async (_params, { paths, changing }) => {
    await ensurePrivateFolder(paths.stateDir);
    const lock = await takeLock(`${paths.stateDir}/lock`);
    try {
      return await readSystemAliases(paths, changing);
    } finally {
      lock.release();
    }
  },
});

/** How many names Postfix knows then. Throws a `HelperError` that names the line which postalias(1) does not take. */
export async function readSystemAliases(
  paths: Paths,
  changing: () => Promise<void>,
): Promise<{ readonly count: number }> {
  const types = await tableTypes(paths);
  if (types.length === 0) throw refused('helper.systemAliases.noTable', {}, '');
  const stamp = await contentsStampOf(paths.aliases);
  const text = await readText(paths.aliases);
  if (text === null) throw refused('helper.systemAliases.noFile', {}, '');
  const names = parseAliases(text).map(({ name }) => name);
  await sweep(paths);
  const folder = await mkdtemp(buildFolders(paths));
  try {
    const built: Built[] = [];
    for (const type of types) built.push(await build(type, folder, text, names, paths));
    if ((await contentsStampOf(paths.aliases)) !== stamp) {
      throw refused('helper.systemAliases.meanwhile', {}, '');
    }
    await changing();
    await swap(built, names, paths);
    return { count: new Set(names).size };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the names of the folders begin with in which the tables are built, on the disk of their places. */
function buildFolders(paths: Paths): string {
  return `${paths.aliases}.mailserver-`;
}

/** Removes what a request that was killed left behind. */
async function sweep(paths: Paths): Promise<void> {
  const [folder, start] = [path.dirname(paths.aliases), path.basename(buildFolders(paths))];
  for (const name of await readdir(folder)) {
    if (name.startsWith(start)) await rm(`${folder}/${name}`, { recursive: true, force: true });
  }
}

/** Types of the tables that Postfix makes of this file (alias_database) or looks into (alias_maps). */
async function tableTypes(paths: Paths): Promise<readonly string[]> {
  const view = await readConfig(paths.configDir, paths);
  const elements = ['alias_database', 'alias_maps'].flatMap((name) =>
    splitList(view.parameter(name)),
  );
  const types = elements.flatMap((element) => {
    const [, type = '', file] = /^(?:proxy:)?(\w+):(.+)$/.exec(element) ?? [];
    return file === paths.aliases && Object.hasOwn(ENDS, type) ? [type] : [];
  });
  return [...new Set(types)];
}

interface Built {
  readonly type: string;
  /** The new table. */
  readonly file: string;
  /** Where it belongs. */
  readonly place: string;
  /** The old table is there, and a copy of it as `file` with `.before`. */
  readonly old: boolean;
}

async function build(
  type: string,
  folder: string,
  text: string,
  names: readonly string[],
  paths: Paths,
): Promise<Built> {
  const end = ENDS[type] ?? '';
  const source = `${folder}/${path.basename(paths.aliases)}`;
  const place = paths.aliases + end;
  const status = await statusOf(place);
  await writeSynced(source, text, TABLE);
  const { code, stderr } = await runNative(
    POSTALIAS,
    ['-c', paths.configDir, `${type}:${source}`],
    {
      timeoutMs: POSTALIAS_MS,
    },
  );
  // It also warns of what it finds in main.cf, which is another matter.
  const words = stderr.split('\n').filter((line) => code !== 0 || line.includes(source));
  if (code !== 0 || words.length > 0) {
    throw complained(words.join('\n').replaceAll(source, paths.aliases));
  }
  await syncFile(source + end, status ?? TABLE);
  const missing = await unanswered(`${type}:${source}`, names, paths);
  if (missing !== null) {
    throw refused('helper.systemAliases.unanswered', { name: missing }, '');
  }
  if (status) await copyFile(place, `${source}${end}.before`);
  return { type, file: source + end, place, old: status !== null };
}

/** Postfix sees the new table with the next mail; when it does not answer in its place, the old one comes back. */
async function swap(
  built: readonly Built[],
  names: readonly string[],
  paths: Paths,
): Promise<void> {
  try {
    for (const { type, file, place } of built) {
      await rename(file, place);
      await syncFolder(path.dirname(place));
      const missing = await unanswered(`${type}:${paths.aliases}`, names, paths);
      if (missing !== null) {
        throw refused('helper.systemAliases.unanswered', { name: missing }, '');
      }
    }
  } catch (error) {
    for (const { file, place, old } of built) {
      if (old) await putBack(`${file}.before`, place);
      else await removeIfThere(place);
    }
    await syncFolder(path.dirname(paths.aliases));
    throw error;
  }
}

async function putBack(copy: string, place: string): Promise<void> {
  await syncFile(copy, (await statusOf(place)) ?? TABLE);
  await rename(copy, place);
}

/** The first name to which the table has no answer (`postalias -q`); null when it answers to all. */
async function unanswered(
  table: string,
  names: readonly string[],
  paths: Paths,
): Promise<string | null> {
  const { stdout } = await runNative(POSTALIAS, ['-c', paths.configDir, '-q', '-', table], {
    input: names.map((name) => `${name}\n`),
    timeoutMs: POSTALIAS_MS,
  });
  const answered = new Set(stdout.split('\n').map((line) => line.split(':\t')[0] ?? ''));
  return names.find((name) => !answered.has(name)) ?? null;
}

/** `/etc/aliases, line 5: need name:value pair`, or a word about all of the file. */
function complained(stderr: string): HelperError {
  const line = /, line (\d+):/.exec(stderr)?.[1];
  return line === undefined
    ? refused('helper.systemAliases.refused', {}, stderr)
    : refused('helper.systemAliases.line', { line: Number(line) }, stderr);
}

function refused(key: string, values: MessageValues, detail: string): HelperError {
  return new HelperError({ stage: 'run', key, values, detail, restored: true });
}
