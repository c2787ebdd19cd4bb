/** The native checkers, run on the stage in a private mount namespace. */
import path from 'node:path';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { HelperError } from '../../errors.js';
import { copyQueueFolders } from '../empty-queue.js';
import { readText } from '../files.js';
import { bind, empty, openNamespace, type PrivateNamespace } from '../namespace.js';
import type { Paths } from '../paths.js';

/** How long `postfix check` may take before the save is given up, in milliseconds. */
const CHECK_TIMEOUT_MS = 20_000;

/**
 * `postfix check` on the staged files. Throws at stage `check`, with its words, when it refuses them. The namespace is
 * made while the stage is still being written: `written` resolves when it is.
 */
export async function checkStage(
  folder: string,
  written: Promise<unknown>,
  paths: Paths,
): Promise<void> {
  const space = await openStageNamespace(folder, paths, written);
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

/** Throws at stage `check` when `postconf` warns about something that it did not warn about before. */
export function refuseNewWarnings(present: string, staged: string): void {
  const fresh = newLines(present, staged);
  if (fresh) throw refused('helper.check.warning', fresh);
}

/**
 * The stage bound over the configuration; queue, data and log empty. The files are bound when they are written: `postconf`
 * writes new ones and renames them, and a bound one would stay the old.
 */
export async function openStageNamespace(
  folder: string,
  paths: Paths,
  written: Promise<unknown> = Promise.resolve(),
): Promise<PrivateNamespace> {
  await mkdir(path.dirname(paths.mailLog), { recursive: true });
  const { uid, gid } = await stat(paths.dataDir);
  const space = await openNamespace(folder);
  try {
    await space.mount([
      empty(paths.queueDir),
      empty(paths.dataDir, `mode=0700,uid=${uid},gid=${gid}`),
      empty(path.dirname(paths.mailLog), 'mode=1777'),
    ]);
    await copyQueueFolders(paths.queueDir, space.pathInside(paths.queueDir));
    await written;
    await space.mount([
      bind(`${folder}/main.cf`, `${paths.configDir}/main.cf`),
      bind(`${folder}/master.cf`, `${paths.configDir}/master.cf`),
    ]);
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
