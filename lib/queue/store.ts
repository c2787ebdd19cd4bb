/** Jobs on the queue, and how full it was every few minutes. */
import type { Knex } from 'knex';
import type { HelperFailure } from '../errors.js';
import type { QueueFilter } from './query.js';
import type { ActFailure, QueueAction } from './schema.js';

const JOBS = 'mail_queue_jobs';
const SAMPLES = 'mail_queue_samples';

/** A job whose process does not show itself for so long has lost it, in seconds. */
export const JOB_LOST_SECONDS = 30;
const KEPT_JOBS = 500;
const KEPT_SAMPLES_DAYS = 8;

export type JobState = 'running' | 'done' | 'cancelled' | 'failed' | 'lost';

export interface JobCounts {
  readonly done: number;
  readonly unchanged: number;
  readonly gone: number;
  readonly failed: number;
}

export interface QueueJob extends JobCounts {
  readonly id: string;
  readonly action: QueueAction;
  readonly actor: string;
  /** Null for an action on chosen messages. */
  readonly filter: QueueFilter | null;
  readonly state: JobState;
  readonly total: number;
  readonly failures: readonly ActFailure[];
  readonly failure: HelperFailure | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
}

interface JobRow extends JobCounts {
  readonly id: string;
  readonly action: QueueAction;
  readonly actor: string;
  readonly filter: QueueFilter | null;
  readonly state: JobState;
  readonly total: number;
  readonly failures: readonly ActFailure[];
  readonly failure: HelperFailure | null;
  readonly started_at: Date;
  readonly finished_at: Date | null;
}

export async function insertJob(
  db: Knex,
  job: Pick<QueueJob, 'action' | 'actor' | 'filter' | 'total'>,
): Promise<string> {
  const [row] = await db(JOBS)
    .insert({ ...job, filter: job.filter === null ? null : JSON.stringify(job.filter) })
    .returning<{ id: string }[]>('id');
  if (row === undefined) throw new Error('the job got no id');
  await db(JOBS)
    .where('id', '<=', Number(row.id) - KEPT_JOBS)
    .delete();
  return row.id;
}

/** Notes how far the job is, and that its process lives. Says whether somebody wants it to stop. */
export async function advanceJob(
  db: Knex,
  id: string,
  counts: JobCounts & { readonly total: number },
): Promise<boolean> {
  const [row] = await db(JOBS)
    .where({ id, state: 'running' })
    .update({ ...counts, seen_at: db.fn.now() })
    .returning<{ cancel: boolean }[]>('cancel');
  return row?.cancel ?? true;
}

export async function finishJob(
  db: Knex,
  id: string,
  end: JobCounts & {
    readonly state: Exclude<JobState, 'running'>;
    readonly total: number;
    readonly failures: readonly ActFailure[];
    readonly failure: HelperFailure | null;
  },
): Promise<void> {
  await db(JOBS)
    .where({ id })
    .update({
      ...end,
      failures: JSON.stringify(end.failures),
      failure: end.failure === null ? null : JSON.stringify(end.failure),
      finished_at: db.fn.now(),
    });
}

/** Asks the process that works on the job to stop. False when it is over already. */
export async function askToCancel(db: Knex, id: string): Promise<boolean> {
  return (await db(JOBS).where({ id, state: 'running' }).update({ cancel: true })) > 0;
}

export async function readJob(db: Knex, id: string): Promise<QueueJob | null> {
  await settleLost(db);
  const row = await db(JOBS).where({ id }).first<JobRow | undefined>();
  return row === undefined ? null : jobOf(row);
}

/** Jobs that run now, the oldest first. */
export async function runningJobs(db: Knex): Promise<readonly QueueJob[]> {
  await settleLost(db);
  const rows = await db(JOBS).where({ state: 'running' }).orderBy('id').select<JobRow[]>();
  return rows.map(jobOf);
}

/** A job of a process that died is over. What it had done is done; the rest of it was not. */
async function settleLost(db: Knex): Promise<void> {
  await db(JOBS)
    .where({ state: 'running' })
    .whereRaw(`seen_at < clock_timestamp() - make_interval(secs => ?)`, [JOB_LOST_SECONDS])
    .update({ state: 'lost', finished_at: db.fn.now() });
}

function jobOf(row: JobRow): QueueJob {
  const { started_at: startedAt, finished_at: finishedAt, ...rest } = row;
  return { ...rest, id: String(rest.id), startedAt, finishedAt };
}

/** Mail that does not get on. */
export interface Stall {
  /** Null: for one cause, wherever it goes. */
  readonly destination: string | null;
  readonly messages: number;
  /** When the oldest of them came, in seconds since 1970. */
  readonly oldest: number;
  readonly cause: string;
}

export interface QueueSample {
  readonly at: Date;
  readonly waiting: number;
  readonly held: number;
  /** Bytes. */
  readonly diskFree: number;
  readonly diskNeeded: number;
  readonly stalls: readonly Stall[];
}

interface SampleRow {
  readonly at: Date;
  readonly waiting: number;
  readonly held: number;
  readonly disk_free: string;
  readonly disk_needed: string;
  readonly stalls: readonly Stall[];
}

export async function insertSample(db: Knex, sample: Omit<QueueSample, 'at'>): Promise<void> {
  await db(SAMPLES).insert({
    waiting: sample.waiting,
    held: sample.held,
    disk_free: sample.diskFree,
    disk_needed: sample.diskNeeded,
    stalls: JSON.stringify(sample.stalls),
  });
  await db(SAMPLES)
    .whereRaw(`at < clock_timestamp() - make_interval(days => ?)`, [KEPT_SAMPLES_DAYS])
    .delete();
}

/** The newest sample, and the one that was the newest `secondsAgo` before it, unless that is twice as old. */
export async function readSamples(
  db: Knex,
  secondsAgo: number,
): Promise<{ readonly now: QueueSample | null; readonly before: QueueSample | null }> {
  const newest = await db(SAMPLES).orderBy('at', 'desc').first<SampleRow | undefined>();
  if (newest === undefined) return { now: null, before: null };
  const then = new Date(newest.at.getTime() - secondsAgo * 1000);
  const earlier = await db(SAMPLES)
    .where('at', '<=', then)
    .where('at', '>=', new Date(then.getTime() - secondsAgo * 1000))
    .orderBy('at', 'desc')
    .first<SampleRow | undefined>();
  return { now: sampleOf(newest), before: earlier === undefined ? null : sampleOf(earlier) };
}

function sampleOf(row: SampleRow): QueueSample {
  const { disk_free: free, disk_needed: needed, ...rest } = row;
  return { ...rest, diskFree: Number(free), diskNeeded: Number(needed) };
}
