/** `quarantine-act`: releases or deletes the mails whose ids follow as items; tells its progress; can be cancelled. */
import { HelperError } from '../../errors.js';
import {
  isQuarantineId,
  MAX_ACT_IDS,
  MAX_ITEM_IDS,
  MAX_TOLD_FAILURES,
  QUARANTINE_ACTIONS,
  type QuarantineAction,
  type QuarantineActResult,
  type QuarantineFailure,
} from '../../quarantine/schema.js';
import { ensurePrivateFolder } from '../files.js';
import { takeLock, type Lock } from '../lock.js';
import type { Paths } from '../paths.js';
import { portsOf } from '../ports.js';
import { QuarantineFolder } from '../quarantine/folder.js';
import { releaseMail } from '../quarantine/release.js';
import { defineAction, plainParams } from './action.js';

const ACT_TIMEOUT_MS = 2 * 60 * 60 * 1000;

interface Params {
  readonly action: QuarantineAction;
  /** Somebody said a second time that a virus is to be delivered. */
  readonly evenInfected: boolean;
}

export const quarantineActAction = defineAction({
  timeoutMs: ACT_TIMEOUT_MS,
  changes: 'told',
  params: plainParams<Params>({
    action: (value) => QUARANTINE_ACTIONS.some((name) => name === value),
    evenInfected: (value) => typeof value === 'boolean',
  }),
  redact: (params) => params,
  run: async (
    { action, evenInfected },
    { paths, items, signal, progress, changing },
  ): Promise<QuarantineActResult> => {
    const ids = await readIds(items);
    const port = (await portsOf(paths)).amavisBack;
    const failures: QuarantineFailure[] = [];
    let [done, gone, failed] = [0, 0, 0];
    const folder = await QuarantineFolder.open(paths);
    if (folder === null) return { done, gone: ids.size, failed, failures, cancelled: false };
    let lock: Lock | null = null;
    try {
      lock = action === 'release' ? await takeReleaseLock(paths) : null;
      await changing();
      for (const id of ids) {
        if (signal.aborted) break;
        const end = await act(folder, action, id, { port, evenInfected });
        if (end === null) done += 1;
        else if (end === 'gone') gone += 1;
        else {
          failed += 1;
          if (failures.length < MAX_TOLD_FAILURES) failures.push({ id, ...end });
        }
        progress({ done: done + gone + failed, total: ids.size });
      }
      const cancelled = done + gone + failed < ids.size;
      return { done, gone, failed, failures, cancelled };
    } finally {
      lock?.release();
      await folder.close();
    }
  },
});

/** Two that release the same mail at once would deliver it twice. */
async function takeReleaseLock({ stateDir }: Paths): Promise<Lock> {
  await ensurePrivateFolder(stateDir);
  return takeLock(`${stateDir}/release-lock`);
}

type End = Omit<QuarantineFailure, 'id'> | 'gone' | null;

async function act(
  folder: QuarantineFolder,
  action: QuarantineAction,
  id: string,
  options: Parameters<typeof releaseMail>[2],
): Promise<End> {
  try {
    if (action === 'release') {
      const end = await releaseMail(folder, id, options);
      // What was delivered is kept back no longer.
      if (end !== null) return end;
    }
    return (await folder.remove(id)) || action === 'release' ? null : 'gone';
  } catch (error) {
    return { why: 'tool', detail: error instanceof Error ? error.message : String(error) };
  }
}

/** All ids, checked before anything is done with one. */
async function readIds(items: AsyncIterable<unknown>): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for await (const item of items) {
    if (!Array.isArray(item) || item.length > MAX_ITEM_IDS) throw refused();
    for (const id of item as readonly unknown[]) {
      if (!isQuarantineId(id)) throw refused();
      ids.add(id);
    }
    if (ids.size > MAX_ACT_IDS) throw refused();
  }
  return ids;
}

function refused(): HelperError {
  const key = 'helper.validate.params';
  return new HelperError({ stage: 'validate', key, values: {}, detail: 'ids', restored: true });
}
