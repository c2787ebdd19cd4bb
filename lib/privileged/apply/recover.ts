/** The way back: after a kill, found at the next request, or when a change does not prove itself. */
import path from 'node:path';
import { HelperError } from '../../errors.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type { Paths } from '../paths.js';
import { postfixService } from '../services/postfix.js';
import { readState } from '../state.js';
import { activate } from './activate.js';
import { followDaemons } from './daemons.js';
import { sourceFolder } from './contents-source.js';
import {
  bootId,
  closeJournal,
  putBack,
  readJournal,
  sweepFolders,
  type Follow,
  type Journal,
} from './journal.js';
import { followPolicyFiles } from './policy-servers.js';
import { closeBuild } from './tables.js';

/**
 * Finishes what an earlier request left open: forward when the state names its swap as finished, else back.
 * Throws at stage `rollback` when that is not possible; the journal then stays for the next request.
 */
export async function recover(paths: Paths, registry: SectionRegistry): Promise<void> {
  const journal = await readJournal(paths);
  if (journal) await finish(paths, journal);
  const files = registry.all.flatMap(({ owns }) =>
    [...owns.files, ...(owns.directives ?? [])].map((name) => paths.root + name),
  );
  const folders = [
    paths.configDir,
    paths.ownConfigDir,
    paths.stateDir,
    `${paths.stateDir}/tables`,
    sourceFolder(paths),
    ...files.map((file) => path.dirname(file)),
  ];
  await sweepFolders(folders);
  await closeBuild(paths);
}

async function finish(paths: Paths, journal: Journal): Promise<void> {
  const { swap } = await readState(paths);
  try {
    if (swap !== journal.id) {
      await putBack(paths, journal);
      await followAgain(paths, journal);
    }
    await closeJournal(paths, journal);
  } catch (cause) {
    const detail = cause instanceof HelperError ? cause.detail : String(cause);
    throw new HelperError(
      {
        stage: 'rollback',
        key: 'helper.rollback.unfinished',
        values: {},
        detail,
        restored: false,
      },
      { cause },
    );
  }
}

/**
 * A Postfix that was down before the change was started by the change, and is stopped again; but not one that runs
 * because the machine has been booted since.
 */
async function followAgain(paths: Paths, journal: Journal): Promise<void> {
  const { wasRunning, boot } = journal;
  if (wasRunning || boot === (await bootId())) return follow(paths, journal);
  if (await postfixService(paths).running()) await follow(paths, { ...journal, wasRunning: true });
}

/**
 * Makes the daemons follow the old files. Postfix takes a new main.cf into every new process at once, so that they need
 * it even when the swap came no further than the first rename. One that is falling over the new files takes no reload,
 * and is started anew.
 */
export async function follow(
  paths: Paths,
  journal: Follow & Partial<Pick<Journal, 'entries'>>,
): Promise<void> {
  // One that does not come back lets mail pass, and the pages tell.
  const files = (journal.entries ?? []).map(({ file }) => file);
  await followPolicyFiles(paths, files, false).catch(() => undefined);
  await followPostfix(paths, journal);
  await followDaemons(journal.beside ?? [], paths);
}

async function followPostfix(paths: Paths, { wasRunning, activation }: Follow): Promise<void> {
  const service = postfixService(paths);
  if (!wasRunning) {
    await service.stop();
    return;
  }
  try {
    await activate(service, activation);
  } catch (cause) {
    if (!(await service.restart()).up) throw cause;
  }
}
