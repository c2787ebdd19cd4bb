/**
 * A throw-away Postfix that behaves as the real one: its programs on a staged copy of the configuration, in a private
 * mount namespace with a queue, a log and tables of its own, none of which is ever on a disk. It listens on no port.
 */
import { mkdir, mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { HelperError } from '../../errors.js';
import type { TableContent } from '../../sections/section.js';
import { copyIntoStage, type Stage } from '../apply/stage.js';
import { tableLine } from '../apply/tables.js';
import { CHROOT_FOLDERS, copyQueueFolders } from '../empty-queue.js';
import { hasCode } from '../files.js';
import { bind, empty, openNamespace, type Mount, type PrivateNamespace } from '../namespace.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { POSTCONF } from '../postfix/config-view.js';
import { parseMasterLine } from '../postfix/master.js';

/** How long the instance may take to come up, in milliseconds (a new queue takes up to 2.7 s). */
const START_LIMIT_MS = 20_000;
/** No trial takes this long, in milliseconds: what is older was left behind. */
const LEFT_OVER_MS = 10 * 60_000;

export interface TrialOptions {
  /** Tables that are built inside, in memory. */
  readonly tables?: ReadonlyMap<string, TableContent | null>;
  /** Arguments of `postconf` that make of the stage what it shall be. */
  readonly edits?: readonly (readonly string[])[];
}

export interface TrialInstance {
  readonly space: PrivateNamespace;
  /** Everything its programs have logged so far. */
  readonly log: () => Promise<string>;
}

/** A folder for one trial. What an earlier one left when it was killed is removed; there are no secrets in it. */
export async function openTrialFolder(paths: Paths): Promise<string> {
  const all = `${paths.stateDir}/trials`;
  await mkdir(all, { recursive: true, mode: 0o700 });
  for (const name of await readdir(all)) {
    if (await isLeftOver(`${all}/${name}`)) await removeFolder(`${all}/${name}`);
  }
  const folder = await mkdtemp(`${all}/`);
  await copyIntoStage(folder, paths);
  return folder;
}

/** One that goes while we look was another trial's, which has just ended. */
async function isLeftOver(folder: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(folder)).mtimeMs > LEFT_OVER_MS;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Starts it on a staged configuration. Throws at stage `run` when it does not come up. `close()` ends all of it. */
export async function startTrialInstance(
  stage: Pick<Stage, 'folder' | 'view'>,
  paths: Paths,
  { tables = new Map(), edits = [] }: TrialOptions = {},
): Promise<TrialInstance> {
  await confine(stage, paths, edits);
  const space = await openTrialNamespace(stage.folder, paths);
  try {
    for (const [name, table] of tables) if (table) await buildInside(space, name, table, paths);
    await copyQueueFolders(
      space.pathInside(`${stage.folder}/queue`),
      space.pathInside(paths.queueDir),
    );
    // The daemon itself: postfix(1) would first look at every file Postfix consists of.
    const master = `${stage.view.parameter('daemon_directory')}/master`;
    const start = await space.run(master, ['-w', '-c', paths.configDir], {
      timeoutMs: START_LIMIT_MS,
    });
    const log = (): Promise<string> => readLog(space, paths);
    if (start.code !== 0) throw failed(start.stderr + (await log()));
    return { space, log };
  } catch (error) {
    space.close();
    throw error;
  }
}

async function confine(
  { folder, view }: Pick<Stage, 'folder' | 'view'>,
  paths: Paths,
  edits: readonly (readonly string[])[],
): Promise<void> {
  const listeners = view.master
    .filter(({ line }) => parseMasterLine(line).type === 'inet')
    .map(({ name }) => name);
  const logFolder = path.dirname(paths.mailLog);
  const log = [`maillog_file=${paths.mailLog}`, `maillog_file_prefixes=/var, ${logFolder}`];
  const all = [...edits, ['-e', 'multi_instance_enable=no', ...log]];
  for (const args of listeners.length > 0 ? [['-MX', ...listeners], ...all] : all) {
    const answer = await runNative(POSTCONF, ['-c', folder, ...args]);
    if (answer.code !== 0) throw failed(answer.stderr);
  }
}

async function openTrialNamespace(folder: string, paths: Paths): Promise<PrivateNamespace> {
  const { configDir, dataDir, ownConfigDir, queueDir } = paths;
  const logFolder = path.dirname(paths.mailLog);
  for (const one of ['tables', 'queue']) await mkdir(`${folder}/${one}`, { mode: 0o755 });
  for (const one of [ownConfigDir, logFolder]) await mkdir(one, { recursive: true, mode: 0o755 });
  const { uid, gid } = await stat(dataDir);
  const space = await openNamespace(folder);
  try {
    await space.mount([
      bind(`${folder}/main.cf`, `${configDir}/main.cf`),
      bind(`${folder}/master.cf`, `${configDir}/master.cf`),
      bind(ownConfigDir, `${folder}/tables`),
      empty(ownConfigDir),
      bind(queueDir, `${folder}/queue`),
      empty(queueDir),
      empty(dataDir, `mode=0700,uid=${uid},gid=${gid}`),
      empty(logFolder, 'mode=1777'),
    ]);
    await linkTables(space, folder, paths);
    await space.mount(await chrootMounts(space, folder, paths));
    return space;
  } catch (error) {
    space.close();
    throw error;
  }
}

/** The tables of other features stay reachable; links, since a second name in the file system would disturb daemons. */
async function linkTables(space: PrivateNamespace, folder: string, paths: Paths): Promise<void> {
  const inside = space.pathInside(paths.ownConfigDir);
  for (const name of await readdir(space.pathInside(`${folder}/tables`))) {
    if (!name.startsWith('.')) await symlink(`${folder}/tables/${name}`, `${inside}/${name}`);
  }
}

async function chrootMounts(
  space: PrivateNamespace,
  folder: string,
  { queueDir }: Paths,
): Promise<readonly Mount[]> {
  const mounts: Mount[] = [];
  for (const name of CHROOT_FOLDERS) {
    try {
      await stat(space.pathInside(`${folder}/queue/${name}`));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) continue;
      throw error;
    }
    await mkdir(space.pathInside(`${queueDir}/${name}`), { mode: 0o755 });
    mounts.push(bind(`${folder}/queue/${name}`, `${queueDir}/${name}`));
  }
  return mounts;
}

/** Built where it is used, in memory. */
async function buildInside(
  space: PrivateNamespace,
  name: string,
  table: TableContent,
  { configDir, ownConfigDir }: Paths,
): Promise<void> {
  const lines = [...table.entries].map(([key, value]) => tableLine(name, key, value));
  await rm(space.pathInside(`${ownConfigDir}/${name}.lmdb`), { force: true });
  const build = await space.run(
    '/usr/sbin/postmap',
    ['-c', configDir, '-i', `lmdb:${ownConfigDir}/${name}`],
    { input: lines },
  );
  if (build.code !== 0 || build.stderr !== '') throw failed(build.stderr);
}

async function readLog(space: PrivateNamespace, paths: Paths): Promise<string> {
  const answer = await space.run('/bin/cat', [paths.mailLog]);
  return answer.stdout;
}

function failed(detail: string): HelperError {
  const key = 'helper.run.trial';
  return new HelperError({ stage: 'run', key, values: {}, detail, restored: true });
}
