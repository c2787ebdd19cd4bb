/** The native checkers, run on the stage in a private mount namespace. */
import path from 'node:path';
import { existsSync } from 'node:fs';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { HelperError } from '../../errors.js';
import { copyQueueFolders, hasAllQueueFolders } from '../empty-queue.js';
import { readText } from '../files.js';
import { bind, empty, openNamespace, type PrivateNamespace } from '../namespace.js';
import type { Paths } from '../paths.js';
import type { ConfigView } from '../postfix/config-view.js';

/** How long `postfix check` may take before the save is given up, in milliseconds. */
const CHECK_TIMEOUT_MS = 20_000;

/**
 * What Postfix' installer reads of main.cf, to know where the program's own files are and whose they are (`MOST_PARAMETERS`
 * of post-install(1)). No section of ours speaks of them.
 */
const INSTALLER_READS: readonly string[] = [
  ...['command_directory', 'daemon_directory', 'data_directory', 'html_directory', 'mail_owner'],
  ...['mailq_path', 'manpage_directory', 'newaliases_path', 'queue_directory', 'readme_directory'],
  ...['sample_directory', 'sendmail_path', 'setgid_group', 'shlib_directory', 'meta_directory'],
];

export interface CheckOrder {
  readonly folder: string;
  /** Resolves when the stage in `folder` is written. */
  readonly written: Promise<unknown>;
  /** Names of the parameters that change. */
  readonly changing: Iterable<string>;
  readonly present: ConfigView;
  readonly paths: Paths;
}

/**
 * `postfix check` on the staged files. Throws at stage `check`, with its words, when it refuses them. The namespace is
 * made while the stage is still being written.
 */
export async function checkStage(order: CheckOrder): Promise<void> {
  const { folder, written, paths } = order;
  const installer = installerToSkip(order);
  const space = await openStageNamespace(folder, paths, { written, without: installer });
  try {
    const answer = await space.run('/usr/sbin/postfix', ['-c', paths.configDir, 'check'], {
      timeoutMs: CHECK_TIMEOUT_MS,
    });
    if (answer.timedOut) throw refused('helper.check.timeout', '', CHECK_TIMEOUT_MS / 1000);
    if (answer.code !== 0) {
      throw refused('helper.check.postfix', answer.stderr + (await privateLog(space, paths)));
    }
  } finally {
    space.close();
  }
}

/**
 * Two thirds of `postfix check` are spent in its installer, which makes folders of the queue that are missing. The check's
 * queue is empty and thrown away, and has the folders of the real one. So the installer need not run where nothing is
 * missing and nothing changes of what it reads; all the rest of `postfix check` does.
 */
function installerToSkip({ changing, present, paths }: CheckOrder): readonly string[] {
  const installer = `${present.parameter('daemon_directory')}/post-install`;
  const idle =
    hasAllQueueFolders(paths.queueDir) &&
    existsSync(paths.dataDir) &&
    ![...changing].some((name) => INSTALLER_READS.includes(name));
  return idle && existsSync(installer) ? [installer] : [];
}

/** Throws at stage `check` when `postconf` warns about something that it did not warn about before. */
export function refuseNewWarnings(present: string, staged: string): void {
  const fresh = newLines(present, staged);
  if (fresh) throw refused('helper.check.warning', fresh);
}

export interface StageNamespaceOptions {
  /** Resolves when the stage is written; it is at once when not given. */
  readonly written?: Promise<unknown>;
  /** Shell scripts that do nothing in it. */
  readonly without?: readonly string[];
}

/**
 * The stage bound over the configuration; queue, data and log empty. The files are bound when they are written: `postconf`
 * writes new ones and renames them, and a bound one would stay the old.
 */
export async function openStageNamespace(
  folder: string,
  paths: Paths,
  { written = Promise.resolve(), without = [] }: StageNamespaceOptions = {},
): Promise<PrivateNamespace> {
  const logFolder = path.dirname(paths.mailLog);
  const [{ uid, gid }] = await Promise.all([
    stat(paths.dataDir),
    mkdir(logFolder, { recursive: true }),
    writeFile(`${folder}/nothing`, '', { mode: 0o600 }),
  ]);
  const space = await openNamespace(folder);
  try {
    await written;
    await space.mount([
      empty(paths.queueDir),
      empty(paths.dataDir, `mode=0700,uid=${uid},gid=${gid}`),
      empty(logFolder, 'mode=1777'),
      bind(`${folder}/main.cf`, `${paths.configDir}/main.cf`),
      bind(`${folder}/master.cf`, `${paths.configDir}/master.cf`),
      ...without.map((script) => bind(`${folder}/nothing`, script)),
    ]);
    await copyQueueFolders(paths.queueDir, space.pathInside(paths.queueDir));
    return space;
  } catch (error) {
    space.close();
    throw error;
  }
}

/** What Postfix wrote into the namespace's own log. */
export async function privateLog(space: PrivateNamespace, paths: Paths): Promise<string> {
  const folder = space.pathInside(path.dirname(paths.mailLog));
  const names = await readdir(folder);
  const texts = await Promise.all(names.map((name) => readText(`${folder}/${name}`)));
  return texts.join('');
}

function newLines(before: string, after: string): string {
  const known = new Set(before.split('\n').map(withoutPath));
  return after
    .split('\n')
    .filter((line) => line.trim() !== '' && !known.has(withoutPath(line)))
    .join('\n');
}

/** Warnings name the folder they were read from, which differs between stage and real one. */
function withoutPath(line: string): string {
  return line.replace(/\/\S*\/(main|master)\.cf/g, '$1.cf').replace(/line \d+/g, 'line');
}

function refused(key: string, detail: string, seconds = 0): HelperError {
  return new HelperError({ stage: 'check', key, values: { seconds }, detail, restored: true });
}
