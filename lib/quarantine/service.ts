/** Mail that the content filter kept back, as pages see it: lists, one mail, actions, and the clean-up. */
import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import { noHelper } from '../changes/failures.js';
import type { Helper } from '../client/helper.js';
import type { HelperProgress, Log } from '../contract.js';
import { holdsPart } from '../domains/schema.js';
import { releaseLease, takeLease } from '../database/lease.js';
import { HelperError, NotFoundError } from '../errors.js';
import { createQuarantineJobs, type QuarantineJobs } from './jobs.js';
import {
  DEFAULT_KEEP_DAYS,
  kindOf,
  type QuarantineKind,
  type QuarantineRow,
  type ShownQuarantine,
} from './schema.js';
import { readKeepDays, writeKeepDays } from './store.js';

/** So long a listing is shown again, in milliseconds. */
const FRESH_MS = 3_000;
/** Between two clean-ups, in milliseconds. */
const CLEAN_EVERY_MS = 60 * 60 * 1000;
/** How long after a start the first one comes, in milliseconds: there is more urgent work then. */
const FIRST_CLEAN_MS = 60_000;
const LEASE = 'quarantine-clean';

export const QUARANTINE_SORTS = ['newest', 'oldest', 'sender', 'score', 'largest'] as const;
export type QuarantineSort = (typeof QUARANTINE_SORTS)[number];

export interface QuarantineFilter {
  /** Part of sender, recipient, subject or reason; '' for all. */
  readonly q: string;
  readonly kind: QuarantineKind | '';
  readonly sort: QuarantineSort;
}

export interface QuarantineList {
  readonly rows: readonly QuarantineRow[];
  /** How many there are of each kind. */
  readonly counts: ReadonlyMap<QuarantineKind, number>;
  readonly total: number;
  /** Older ones that a listing does not hold. */
  readonly leftOut: number;
  readonly at: Date;
}

export interface QuarantineService {
  readonly jobs: QuarantineJobs;
  /** Throws `HelperError`. */
  list(filter: QuarantineFilter, actor: string): Promise<QuarantineList>;
  /** Null when it has gone. Throws `HelperError`. */
  show(id: string, actor: string): Promise<ShownQuarantine | null>;
  /** Throws `NotFoundError` before the first piece; `HelperError`. */
  download(
    id: string,
    actor: string,
    options: { readonly signal: AbortSignal; readonly take: (piece: Buffer) => Promise<void> },
  ): Promise<void>;
  keepDays(): Promise<number>;
  setKeepDays(days: number, actor: string): Promise<void>;
  start(): void;
  close(): Promise<void>;
}

export function createQuarantineService({
  db,
  log,
  ...parts
}: {
  readonly db: Knex;
  readonly helper: Helper | null;
  readonly log: Log;
}): QuarantineService {
  const helper = parts.helper ?? ABSENT;
  const holder = randomUUID();
  let known: Known | null = null;
  let reading: Promise<Known> | null = null;
  const timers: NodeJS.Timeout[] = [];
  const jobs = createQuarantineJobs(helper, { log, onEnd: () => (known = null) });

  const read = async (actor: string): Promise<Known> => {
    const rows: QuarantineRow[] = [];
    const at = new Date();
    const { leftOut } = await helper.call(
      'quarantine-list',
      {},
      { actor, onProgress: ({ row }) => void rows.push(...(row as readonly QuarantineRow[])) },
    );
    return { rows, leftOut, at };
  };

  const look = async (actor: string): Promise<Known> => {
    if (known !== null && Date.now() - known.at.getTime() < FRESH_MS) return known;
    reading ??= read(actor).finally(() => (reading = null));
    known = await reading;
    return known;
  };

  /** Never throws: it is tried again by itself. */
  const clean = async (): Promise<void> => {
    try {
      if (!(await takeLease(db, LEASE, holder))) return;
      const days = (await readKeepDays(db)) ?? DEFAULT_KEEP_DAYS;
      const { removed } = await helper.call('quarantine-clean', { days }, { actor: 'system' });
      if (removed > 0) {
        known = null;
        log.info({ removed, days }, 'old mail was deleted from the quarantine');
      }
      await releaseLease(db, LEASE, holder);
    } catch (error) {
      if (!(error instanceof HelperError))
        log.warn({ err: error }, 'the quarantine was not cleaned');
    }
  };

  return {
    jobs,
    async list({ q, kind, sort }, actor) {
      const { rows, leftOut, at } = await look(actor);
      const counts = new Map<QuarantineKind, number>();
      for (const { id } of rows) counts.set(kindOf(id), (counts.get(kindOf(id)) ?? 0) + 1);
      const fits = (row: QuarantineRow): boolean =>
        (kind === '' || kindOf(row.id) === kind) &&
        (q === '' ||
          [
            row.sender,
            row.from,
            row.subject,
            row.what,
            row.id,
            row.messageId,
            ...row.recipients,
          ].some((text) => holdsPart(text, q)));
      return {
        rows: rows.filter(fits).sort(ORDERS[sort]),
        counts,
        total: rows.length,
        leftOut,
        at,
      };
    },
    show: (id, actor) => helper.call('quarantine-show', { id }, { actor }),
    async download(id, actor, { signal, take }) {
      const onProgress = ({ row }: HelperProgress): Promise<void> =>
        take(Buffer.from(row as string, 'base64'));
      const { found } = await helper.call('quarantine-raw', { id }, { actor, signal, onProgress });
      if (!found) throw new NotFoundError(`mail ${id}`);
    },
    keepDays: async () => (await readKeepDays(db)) ?? DEFAULT_KEEP_DAYS,
    async setKeepDays(days, actor) {
      await writeKeepDays(db, days, actor);
      await clean();
    },
    start() {
      if (parts.helper === null) return;
      timers.push(
        setTimeout(() => void clean(), FIRST_CLEAN_MS),
        setInterval(() => void clean(), CLEAN_EVERY_MS),
      );
      for (const timer of timers) timer.unref();
    },
    async close() {
      for (const timer of timers) clearInterval(timer);
      await jobs.close();
    },
  };
}

/** A listing that was read. */
type Known = Pick<QuarantineList, 'rows' | 'leftOut' | 'at'>;

type Order = (a: QuarantineRow, b: QuarantineRow) => number;

const newest: Order = (a, b) => b.at - a.at || (a.id < b.id ? -1 : 1);
const ORDERS: Readonly<Record<QuarantineSort, Order>> = {
  newest,
  oldest: (a, b) => newest(b, a),
  sender: (a, b) => a.sender.localeCompare(b.sender) || newest(a, b),
  score: (a, b) => (b.score ?? -1e9) - (a.score ?? -1e9) || newest(a, b),
  largest: (a, b) => b.size - a.size || newest(a, b),
};

/** Stands in where the machine has no helper. */
const ABSENT: Helper = { call: () => Promise.reject(noHelper()) };
