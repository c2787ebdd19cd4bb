/** `quarantine-act`: releases or deletes the mails whose ids follow as items; tells its progress; can be cancelled. */
import { HelperError } from '../../errors.js';
import {
  ACT_SLICE_MS,
  delivers,
  isQuarantineId,
  kindOf,
  MAX_ACT_IDS,
  MAX_ITEM_IDS,
  MAX_TOLD_FAILURES,
  QUARANTINE_ACTIONS,
  type QuarantineAction,
  type QuarantineActResult,
  type QuarantineFailure,
} from '../../quarantine/schema.js';
import { isScanning } from '../../security/section.js';
import { ensurePrivateFolder, hasCode } from '../files.js';
import { takeLock, type Lock } from '../lock.js';
import type { Paths } from '../paths.js';
import { portsOf } from '../ports.js';
import { readConfig } from '../postfix/config-view.js';
import { publicListener, reachable, type Reachable } from '../postfix/listeners.js';
import { QuarantineFolder } from '../quarantine/folder.js';
import { learn, mailToLearn } from '../quarantine/learn.js';
import { releaseMail } from '../quarantine/release.js';
import { readState } from '../state.js';
import { defineAction, plainParams } from './action.js';

/** Time for the mail that is under way when the slice is over. */
const ACT_TIMEOUT_MS = ACT_SLICE_MS + 10 * 60 * 1000;

/** Mails that SpamAssassin learns from at once, as spam: to load its rules takes longer than to read a mail. */
const LEARNT_AT_ONCE = 8;

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
    const door = delivers(action) ? await doorOf(paths) : null;
    const sliceEnds = Date.now() + ACT_SLICE_MS;
    const failures: QuarantineFailure[] = [];
    let [done, gone, failed, unlearnt] = [0, 0, 0, 0];
    const folder = await QuarantineFolder.open(paths);
    if (folder === null) {
      return { done, gone: ids.size, failed, unlearnt, failures, left: 0, cancelled: false };
    }
    let lock: Lock | null = null;
    try {
      lock = delivers(action) ? await takeReleaseLock(paths) : null;
      await changing();
      const queue = [...ids];
      while (queue.length > 0 && !signal.aborted && Date.now() <= sliceEnds) {
        const some = queue.splice(0, action === 'spam' ? LEARNT_AT_ONCE : 1);
        const ends =
          action === 'spam'
            ? await learnSpam(folder, some, paths)
            : [await act(folder, action, some[0] ?? '', { door, paths, evenInfected })];
        for (const [at, id] of some.entries()) {
          const end = ends[at] ?? null;
          if (end === 'gone') gone += 1;
          else if (end === null) done += 1;
          else {
            // What was only not learnt is on its way all the same.
            if (end.why === 'learn') [done, unlearnt] = [done + 1, unlearnt + 1];
            else failed += 1;
            if (failures.length < MAX_TOLD_FAILURES) failures.push({ id, ...end });
          }
        }
        progress({ done: done + gone + failed, total: ids.size });
      }
      const left = ids.size - done - gone - failed;
      const cancelled = left > 0 && signal.aborted;
      return { done, gone, failed, unlearnt, failures, left, cancelled };
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

/** Past the scanners, which may be off by now: then there is no door behind them, and the one for everybody leads past none. */
async function doorOf(paths: Paths): Promise<Reachable> {
  const { sections } = await readState(paths);
  if (isScanning(sections)) return { host: '127.0.0.1', port: (await portsOf(paths)).amavisBack };
  const view = await readConfig(paths.configDir, paths);
  const listener = publicListener(view.master);
  if (listener === null) throw away();
  return reachable(listener, view);
}

function away(): HelperError {
  const key = 'helper.security.noListener';
  return new HelperError({ stage: 'run', key, values: {}, detail: '', restored: true });
}

type End = Omit<QuarantineFailure, 'id'> | 'gone' | null;

async function act(
  folder: QuarantineFolder,
  action: QuarantineAction,
  id: string,
  {
    door,
    paths,
    evenInfected,
  }: {
    /** Null for what delivers nothing. */
    readonly door: Reachable | null;
    readonly paths: Paths;
    readonly evenInfected: boolean;
  },
): Promise<End> {
  try {
    if (door !== null) {
      const mail = action === 'ham' ? await mailToLearn(folder, id) : null;
      const end = await releaseMail(folder, id, { ...door, evenInfected });
      if (end !== null) return end;
      // What was delivered is kept back no longer, whatever comes of the learning: it would be delivered again.
      await folder.remove(id);
      const said = mail === null ? null : await learn('ham', [mail], paths).catch(String);
      return said === null ? null : { why: 'learn', detail: said };
    }
    return (await folder.remove(id)) ? null : 'gone';
  } catch (error) {
    return endOf(error);
  }
}

/** One end for each. Rules are loaded once for all; where that fails, once for each, to know with which. */
async function learnSpam(
  folder: QuarantineFolder,
  ids: readonly string[],
  paths: Paths,
): Promise<readonly End[]> {
  const mails = await Promise.all(
    ids.map(async (id): Promise<Buffer | End> => {
      if (kindOf(id) === 'virus') return { why: 'virusSpam', detail: '' };
      return mailToLearn(folder, id).then((mail) => mail ?? 'gone', endOf);
    }),
  );
  const there = mails.flatMap((mail) => (Buffer.isBuffer(mail) ? [mail] : []));
  const together = there.length === 0 ? null : await learn('spam', there, paths).catch(String);
  const ends: End[] = [];
  for (const mail of mails) {
    if (!Buffer.isBuffer(mail)) ends.push(mail);
    else if (together === null) ends.push(null);
    else {
      const said = there.length === 1 ? together : await learn('spam', [mail], paths).catch(String);
      ends.push(said === null ? null : { why: 'tool', detail: said });
    }
  }
  return ends;
}

function endOf(error: unknown): End {
  if (hasCode(error, 'ECONNREFUSED')) return { why: 'away', detail: '' };
  return { why: 'tool', detail: error instanceof Error ? error.message : String(error) };
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
