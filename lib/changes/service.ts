/**
 * The one way to save: intent, apply, settle (see each in its file). No transaction is open while the helper works, one
 * change is in flight, and whatever dies in between, the change is brought to its end later.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { HelperTransport, Log } from '../contract.js';
import { keepLease, releaseLease, takeLease } from '../database/lease.js';
import { HelperError, isDiskFull, NotFoundError, UserError } from '../errors.js';
import type { ApplyParams } from '../privileged/protocol.js';
import { applyUntilKnown, requestApply, type Outcome } from './apply.js';
import { beginChange, CHANGES_LEASE, rehearse, type Begun, type Catalogue } from './begin.js';
import type {
  Change,
  ChangeSummary,
  Divergence,
  History,
  HistoryFilter,
  HistoryPage,
  Intent,
  PagedIntent,
  Preview,
  Recovery,
  SettingsSource,
} from './change.js';
import { createComparison } from './compare.js';
import { readDivergence } from './divergence.js';
import { noHelper, noRoom, unsettled } from './failures.js';
import { createLine, WaitedTooLong } from './line.js';
import { recoverChange } from './recover.js';
import { secretsOfSources } from './secrets.js';
import { settle } from './settle.js';
import {
  findApplying,
  findChange,
  findSummary,
  hasMadeRows,
  listChanges,
  listUndos,
} from './store.js';
import { takenBackBy } from './taken-back.js';
import { pagedUndo } from './undo-pages.js';
import { secretsToAsk, undoIntent, type SecretQuestion, type UndoOptions } from './undo.js';

/** How long a save waits for its turn, in milliseconds. */
export const WAIT_LIMIT_MS = 60_000;

/** Pause between two looks at a change that another process has in flight. */
const LOOK_AGAIN_MS = 150;

/** Pause before an unfinished change is looked after again while the helper is away. */
const RECOVER_AGAIN_MS = 15_000;

/** Changes on a page of the history, unless asked otherwise, and at most. */
export const HISTORY_PAGE = 50;
export const HISTORY_PAGE_MOST = 500;

export interface ChangesOptions {
  readonly db: Knex;
  /** Null on a machine without helper: everything shows, every save says why not. */
  readonly helper: HelperTransport | null;
  readonly sources: readonly SettingsSource[];
  readonly log: Log;
  /** Milliseconds; for tests. */
  readonly waitLimitMs?: number;
}

/** A change that is recorded as under way, and what the helper is to be asked. */
type Ready = Extract<Begun, { readonly params: ApplyParams }>;

export type SettledListener = (change: Change) => void | Promise<void>;

export interface Changes {
  /**
   * Writes, applies, proves. Gives the applied change. Throws what `intent.write` throws (nothing was written then), and
   * `HelperError` when the helper refused or is away: the rows are as before, and the history says why. With the key
   * `helper.unsettled` the answer was lost, or the helper is silent, and the change is brought to its end later.
   */
  save(intent: Intent): Promise<Change>;
  /** The same for rows that are too many to be held at once. */
  savePages(intent: PagedIntent): Promise<Omit<Change, 'rows'>>;
  /** What `save` would do; nothing is written anywhere. Throws like `save`. */
  preview(intent: Intent): Promise<Preview>;
  /** Brings an unfinished change to its end and says whether settings and system still follow each other. */
  recover(): Promise<Recovery>;
  history(filter?: HistoryFilter, page?: HistoryPage): Promise<History>;
  /** Throws `NotFoundError`. With the first `most` of its rows, of which there may be many thousands, or with all. */
  get(id: string, most?: number): Promise<Change & ChangeSummary>;
  /** The same without its rows. Throws `NotFoundError`. */
  glance(id: string): Promise<ChangeSummary & { readonly canBeTakenBack: boolean }>;
  /** By number, for those of these changes that were taken back since: the number of the one that did. */
  takenBack(numbers: readonly number[]): Promise<ReadonlyMap<number, number>>;
  /** The intent that takes back these changes (newest first), for `preview` or `save`. */
  undo(changes: readonly Change[], options: UndoOptions): Intent;
  /** The intent that takes back one large change page by page, for `savePages`; null where it has to be held as a whole. */
  undoPages(change: ChangeSummary, actor: string): Promise<PagedIntent | null>;
  /** The secrets that such an undo needs anew. */
  undoQuestions(changes: readonly Change[]): SecretQuestion[];
  divergence(): Promise<Divergence | null>;
  /** What would change if all saved settings were applied; ends the divergence when that is nothing. */
  compare(actor: string): Promise<Preview>;
  /** The intent that applies all saved settings again; saving it ends the divergence. */
  reapply(actor: string): Promise<Intent>;
  /** Calls back after every change that this process settled; returns the function that ends that. */
  onSettled(listener: SettledListener): () => void;
  /** Ends timers, and waits for the save under way. */
  close(): Promise<void>;
}

export function createChanges(options: ChangesOptions): Changes {
  const { db, helper, log, waitLimitMs = WAIT_LIMIT_MS } = options;
  const catalogue: Catalogue = {
    sources: new Map(options.sources.map((source) => [source.section, source])),
    secrets: secretsOfSources(options.sources),
  };
  const holder = randomUUID();
  const line = createLine();
  const comparison = createComparison({ db, helper, catalogue });
  const listeners = new Set<SettledListener>();
  let again: NodeJS.Timeout | undefined;

  function recoverLater(): void {
    clearTimeout(again);
    again = setTimeout(() => {
      recover().catch((error: unknown) => {
        log.warn({ error }, 'an unfinished change still waits');
        recoverLater();
      });
    }, RECOVER_AGAIN_MS).unref();
  }

  async function tellListeners(change: Change): Promise<void> {
    for (const listener of listeners) {
      try {
        await listener(change);
      } catch (error) {
        log.error({ error, change: change.id }, 'a listener failed after a change was settled');
      }
    }
  }

  /** The change is recorded; the helper does it; the outcome is recorded. */
  async function finish(transport: HelperTransport, ready: Ready, actor: string) {
    const { params, contents, rows } = ready;
    const letLapse = keepLease(db, CHANGES_LEASE, holder, log);
    try {
      const outcome = await applyUntilKnown(transport, params, actor, log, contents);
      if (!outcome) throw unsettled();
      const change = await settle(db, catalogue, params.change, outcome, holder, rows);
      return { outcome, change };
    } catch (error) {
      recoverLater();
      throw error;
    } finally {
      letLapse();
    }
  }

  async function begin(
    transport: HelperTransport,
    intent: Intent | PagedIntent,
    deadline: number,
  ): Promise<Ready> {
    for (;;) {
      const begun: Begun = await beginChange(db, catalogue, intent, holder).catch(
        (error: unknown) => {
          throw isDiskFull(error) ? noRoom(error) : error;
        },
      );
      if ('params' in begun) return begun;
      if (begun.abandoned) {
        const { waiting } = await recoverHeld(transport);
        if (waiting && waiting !== 'elsewhere') throw new HelperError(waiting);
      } else if (Date.now() > deadline) {
        throw busy(begun.inFlight.actor);
      } else {
        await sleep(LOOK_AGAIN_MS);
      }
    }
  }

  /** Recovery by the holder of the lease. */
  async function recoverHeld(transport: HelperTransport): Promise<Recovery> {
    const letLapse = keepLease(db, CHANGES_LEASE, holder, log);
    try {
      const recovery = await recoverChange({ db, helper: transport, catalogue, holder, log });
      if (recovery.waiting) recoverLater();
      if (recovery.settled) await tellListeners(recovery.settled);
      return recovery;
    } finally {
      letLapse();
      await releaseLease(db, CHANGES_LEASE, holder);
    }
  }

  async function inLine<T>(work: (deadline: number) => Promise<T>): Promise<T> {
    const deadline = Date.now() + waitLimitMs;
    try {
      return await line.run(() => work(deadline), waitLimitMs);
    } catch (error) {
      if (!(error instanceof WaitedTooLong)) throw error;
      throw busy((await findApplying(db))?.actor ?? '–');
    }
  }

  function busy(actor: string): UserError {
    const seconds = Math.round(waitLimitMs / 1000);
    return new UserError({ key: 'changes.error.busy', values: { seconds, actor } });
  }

  function recover(): Promise<Recovery> {
    return inLine(async () => {
      if (!helper) {
        const waiting = (await findApplying(db)) ? noHelper().toFailure() : null;
        return { settled: null, divergence: await readDivergence(db), waiting };
      }
      if (!(await takeLease(db, CHANGES_LEASE, holder))) {
        recoverLater();
        return { settled: null, divergence: await readDivergence(db), waiting: 'elsewhere' };
      }
      return recoverHeld(helper);
    });
  }

  async function save(intent: Intent | PagedIntent): Promise<Change> {
    if (!helper) throw noHelper();
    let doubt: () => void = () => undefined;
    const silence = new Promise<never>((_resolve, reject) => (doubt = () => reject(unsettled())));
    return Promise.race([saveTo(helper, intent, doubt), silence]);
  }

  /** Calls `onSilence` when somebody who waits for it should be told; it goes on to its end all the same. */
  async function saveTo(
    transport: HelperTransport,
    intent: Intent | PagedIntent,
    onSilence: () => void,
  ): Promise<Change> {
    const telling: HelperTransport = {
      request: (action, params, options) =>
        transport.request(action, params, { ...options, onSilence }),
    };
    const { outcome, change } = await inLine(async (deadline) => {
      const ready = await begin(transport, intent, deadline);
      return finish(telling, ready, intent.actor);
    });
    await comparison.endedBy(change);
    await tellListeners(change);
    if (change.state === 'refused') throw refusalOf(change, outcome);
    return change;
  }

  return {
    save,
    savePages: save,
    preview: async (intent) => {
      if (!helper) throw noHelper();
      const { rows, params, contents } = await rehearse(db, catalogue, intent);
      return { rows, result: await requestApply(helper, params, intent.actor, contents) };
    },
    recover,
    history: async (filter = {}, { before, limit = HISTORY_PAGE } = {}) => {
      const most = Math.min(limit, HISTORY_PAGE_MOST);
      const found = await listChanges(db, filter, { before: before ?? null, limit: most + 1 });
      const changes = found.slice(0, most);
      return { changes, next: found.length > most ? (changes.at(-1)?.number ?? null) : null };
    },
    get: async (id, most) => {
      const number = /^[1-9][0-9]{0,14}$/.test(id) ? Number(id) : 0;
      const change = await findChange(db, number, most === undefined ? {} : { most });
      if (!change) throw new NotFoundError(`change ${id}`);
      return change;
    },
    glance: async (id) => {
      const number = /^[1-9][0-9]{0,14}$/.test(id) ? Number(id) : 0;
      const change = await findSummary(db, number);
      if (!change) throw new NotFoundError(`change ${id}`);
      // Before the first save of a form there is nothing to go back to.
      return { ...change, canBeTakenBack: !(await hasMadeRows(db, number, 'mail_settings')) };
    },
    takenBack: async (numbers) => {
      if (numbers.length === 0) return new Map();
      const by = takenBackBy(await listUndos(db, Math.min(...numbers)));
      return new Map(
        numbers.flatMap((number) => {
          const taker = by(number);
          return taker === null ? [] : [[number, taker]];
        }),
      );
    },
    undo: (changes, undoOptions) => undoIntent(changes, catalogue.secrets, undoOptions),
    undoPages: (change, actor) => pagedUndo(db, change, catalogue.secrets, actor),
    undoQuestions: (changes) => secretsToAsk(changes, catalogue.secrets),
    divergence: () => readDivergence(db),
    compare: (actor) => comparison.compare(actor),
    reapply: (actor) => comparison.reapply(actor),
    onSettled: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: async () => {
      clearTimeout(again);
      await line.idle();
      clearTimeout(again);
    },
  };
}

function refusalOf(change: Change, outcome: Outcome): HelperError {
  if (outcome.state === 'refused') return outcome.error;
  return change.failure ? new HelperError(change.failure) : unsettled();
}
