/** A throw-away Postfix on a copy of the present configuration that has a probe listener, for as long as it is asked. */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { HelperError } from '../../errors.js';
import { hasCode } from '../files.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';
import { POSTCONF, readConfig } from '../postfix/config-view.js';
import { PROBE_SERVICE } from '../postfix/listeners.js';
import { openTrialFolder, removeFolder, startTrialInstance } from './instance.js';

/** How long the listener has to come up, in milliseconds. */
const LISTEN_LIMIT_MS = 10_000;

/** Gives `work` the path of the listener's socket. Throws at stage `run` when the copy does not come up. */
export async function withProbeCopy<T>(
  line: string,
  paths: Paths,
  work: (socket: string) => Promise<T>,
): Promise<T> {
  const folder = await openTrialFolder(paths);
  try {
    const edit = await runNative(POSTCONF, ['-c', folder, '-M', `${PROBE_SERVICE}=${line}`]);
    if (edit.code !== 0) throw failed(edit.stderr);
    const view = await readConfig(folder, paths);
    const { space, log } = await startTrialInstance({ folder, view }, paths);
    try {
      const socket = space.pathInside(`${paths.queueDir}/private/mailserver-probe`);
      for (const end = Date.now() + LISTEN_LIMIT_MS; !(await isThere(socket)); await sleep(50)) {
        if (Date.now() > end) throw failed(await log());
      }
      return await work(socket);
    } finally {
      space.close();
    }
  } finally {
    await removeFolder(folder);
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

function failed(detail: string): HelperError {
  const key = 'helper.run.trial';
  return new HelperError({ stage: 'run', key, values: {}, detail, restored: true });
}
