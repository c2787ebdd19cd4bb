/** Actions on the queue that run in the background: started, watched, stopped; settled whatever happens. */
import type { Knex } from 'knex';
import type { Helper } from '../client/helper.js';
import type { Log } from '../contract.js';
import { HelperError, type HelperFailure } from '../errors.js';
import type { Pictures } from './pictures.js';
import { isUnfiltered, type QueueFilter } from './query.js';
import {
  MAX_ITEM_IDS,
  MAX_TOLD_FAILURES,
  type ActFailure,
  type ActResult,
  type QueueAction,
} from './schema.js';
import { selectIds } from './selection.js';
import {
  advanceJob,
  askToCancel,
  finishJob,
  insertJob,
  readJob,
  runningJobs,
  type JobState,
  type QueueJob,
} from './store.js';

/** How often a job notes how far it is, and looks whether it shall stop, in milliseconds. */
const ADVANCE_MS = 1_000;
/** Times a deletion looks for what is left. Mail that moves while it is deleted is found again. */
const MAX_ROUNDS = 10;

/** What to act on: chosen messages, or all that match and came before `until` (seconds since 1970). */
export type Target =
  { readonly ids: readonly string[] } | { readonly filter: QueueFilter; readonly until: number };

/** What an action is done with; `sure` when no message that matches can be missing. */
interface Found {
  readonly ids: readonly string[];
  readonly sure: boolean;
}

export interface QueueJobs {
  /** Starts it and waits for at most `waitMs`: a small one is over then. Throws `HelperError` when the queue cannot be read. */
  begin(action: QueueAction, target: Target, actor: string, waitMs: number): Promise<QueueJob>;
  get(id: string): Promise<QueueJob | null>;
  running(): Promise<readonly QueueJob[]>;
  /** False when it is over already. */
  cancel(id: string): Promise<boolean>;
  /** Stops all that run here, and waits for their end. */
  close(): Promise<void>;
}

/** Counts of all rounds together. */
class Progress {
  total = 0;
  done = 0;
  unchanged = 0;
  gone = 0;
  failed = 0;
  readonly failures: ActFailure[] = [];
  /** Settled in the round that runs. */
  current = 0;

  add(result: ActResult): void {
    this.done += result.done;
    this.unchanged += result.unchanged;
    this.gone += result.gone;
    this.failed += result.failed;
    this.failures.push(...result.failures.slice(0, MAX_TOLD_FAILURES - this.failures.length));
    this.current = 0;
  }

  counts(): { total: number; done: number; unchanged: number; gone: number; failed: number } {
    const { total, done, unchanged, gone, failed, current } = this;
    return { total, done: done + current, unchanged, gone, failed };
  }
}

export interface JobParts {
  readonly db: Knex;
  readonly helper: Helper;
  readonly pictures: Pictures;
  readonly log: Log;
}

export function createQueueJobs({ db, helper, pictures, log }: JobParts): QueueJobs {
  const mine = new Map<string, { readonly abort: AbortController; readonly end: Promise<void> }>();

  const act = async (
    action: QueueAction,
    ids: readonly string[] | null,
    actor: string,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<void> => {
    const params = ids === null ? { action, everything: true } : { action };
    const result = await helper.call('queue-act', params, {
      actor,
      signal,
      input: ids === null ? [] : pieces(ids),
      onProgress: ({ done }) => void (progress.current = done),
    });
    progress.add(result);
    if (action === 'delete' && ids !== null) {
      const kept = new Set(result.failures.map(({ id }) => id));
      // Of too many failures not each is named.
      if (!result.cancelled && kept.size === result.failed) {
        pictures.remove(new Set(ids.filter((id) => !kept.has(id))));
        return;
      }
    }
    pictures.spoil();
  };

  /** Until nothing that matched is left, as far as that can be reached. `first` is all there was, unless it is not `sure`. */
  const deleteAll = async (
    { ids: first, sure }: Found,
    { filter, until }: Extract<Target, { filter: QueueFilter }>,
    actor: string,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<void> => {
    let left = first;
    const seen = new Set<string>();
    for (let round = 0; round < MAX_ROUNDS && left.length > 0 && !signal.aborted; round += 1) {
      progress.total += left.filter((id) => !seen.has(id)).length;
      for (const id of left) seen.add(id);
      await act('delete', left, actor, signal, progress);
      if (signal.aborted || progress.failed > 0 || sure) return;
      const shot = await pictures.take(actor);
      left = selectIds(shot.picture, filter, nowSeconds(), until);
    }
  };

  const run = async (
    id: string,
    action: QueueAction,
    target: Target,
    found: Found,
    actor: string,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<void> => {
    const { ids } = found;
    let state: Exclude<JobState, 'running'> = 'done';
    let failure: HelperFailure | null = null;
    try {
      if ('ids' in target || action !== 'delete') {
        progress.total = ids.length;
        const everything =
          action === 'deliver' && 'filter' in target && isUnfiltered(target.filter);
        await act(action, everything ? null : ids, actor, signal, progress);
      } else {
        await deleteAll(found, target, actor, signal, progress);
      }
      if (signal.aborted) state = 'cancelled';
    } catch (error) {
      state = signal.aborted ? 'cancelled' : 'failed';
      if (error instanceof HelperError) failure = error.toFailure();
      else log.error({ err: error, job: id }, 'an action on the mail queue failed');
      progress.done += progress.current;
      progress.current = 0;
      pictures.spoil();
    }
    await finishJob(db, id, { ...progress.counts(), state, failure, failures: progress.failures });
  };

  const find = async (
    { filter, until }: Extract<Target, { filter: QueueFilter }>,
    actor: string,
  ): Promise<Found> => {
    const { picture, counts, at } = await pictures.whole(actor);
    const moves = counts.maildrop + counts.incoming + counts.active > 0;
    const sure = !moves && at.getTime() >= until * 1000;
    return { ids: selectIds(picture, filter, nowSeconds(), until), sure };
  };

  const start = async (
    action: QueueAction,
    target: Target,
    found: Found,
    actor: string,
  ): Promise<{ id: string; end: Promise<void> }> => {
    const { ids } = found;
    const filter = 'filter' in target ? target.filter : null;
    const id = await insertJob(db, { action, actor, filter, total: ids.length });
    const abort = new AbortController();
    const progress = new Progress();
    const beat = setInterval(() => {
      advanceJob(db, id, progress.counts()).then(
        (cancelled) => {
          if (cancelled) abort.abort();
        },
        (error: unknown) => log.warn({ err: error, job: id }, 'a job could not note how far it is'),
      );
    }, ADVANCE_MS);
    const end = run(id, action, target, found, actor, abort.signal, progress)
      .catch((error: unknown) => log.error({ err: error, job: id }, 'a job could not be settled'))
      .finally(() => {
        clearInterval(beat);
        mine.delete(id);
      });
    mine.set(id, { abort, end });
    return { id, end };
  };

  return {
    async begin(action, target, actor, waitMs) {
      const found = 'ids' in target ? { ids: target.ids, sure: true } : await find(target, actor);
      const { id, end } = await start(action, target, found, actor);
      await within(end, waitMs);
      const job = await readJob(db, id);
      if (job === null) throw new Error(`the job ${id} is not there`);
      return job;
    },
    get: (id) => readJob(db, id),
    running: () => runningJobs(db),
    async cancel(id) {
      mine.get(id)?.abort.abort();
      return askToCancel(db, id);
    },
    async close() {
      for (const { abort } of mine.values()) abort.abort();
      await Promise.all([...mine.values()].map(({ end }) => end));
    },
  };
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function* pieces(ids: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < ids.length; at += MAX_ITEM_IDS) yield ids.slice(at, at + MAX_ITEM_IDS);
}

async function within(end: Promise<void>, waitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, waitMs);
  });
  await Promise.race([end, late]);
  clearTimeout(timer);
}
