/** Asks the helper to apply a change until it is known what became of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { LOOK_LIMIT_MS } from '../client/patience.js';
import type { HelperTransport, Log } from '../contract.js';
import { HelperError, type HelperFailure, type HelperStage } from '../errors.js';
import type { AppliedRecord, ApplyParams, ApplyResult } from '../privileged/protocol.js';
import { requestWithContents, type ContentsToSend } from './contents.js';
import { lostAnswer, refusedEarlier } from './failures.js';

/** How often a request whose answer was lost is made again, and the pause before, in milliseconds. */
export const APPLY_ATTEMPTS = 3;
const PAUSE_MS = 500;

export type Outcome =
  | { readonly state: 'applied'; readonly result: ApplyResult | null }
  | { readonly state: 'refused'; readonly failure: HelperFailure; readonly error: HelperError };

/**
 * Null when it cannot be known yet: the answer was lost, and the helper cannot be asked any more. One that hangs is not
 * waited for again and again: somebody sits before the page.
 */
export async function applyUntilKnown(
  helper: HelperTransport,
  params: ApplyParams,
  actor: string,
  log: Log,
  contents: ContentsToSend | null = null,
): Promise<Outcome | null> {
  // A change of what only the database keeps.
  const asked = Object.keys({ ...params.sections, ...params.rows });
  if (asked.length === 0) return { state: 'applied', result: null };
  for (let attempt = 1; attempt <= APPLY_ATTEMPTS; attempt += 1) {
    if (attempt > 1) await sleep(PAUSE_MS);
    let error: HelperError;
    try {
      const result = await requestApply(helper, params, actor, contents);
      return { state: 'applied', result };
    } catch (caught) {
      error = asHelperError(caught);
    }
    if (attempt === 1 && isPlainRefusal(error)) return refusal(error);
    log.warn({ change: params.change, attempt, error }, 'what became of a change is in doubt');
    const hangs = error.key === 'helper.connect.timeout';
    const recorded = await outcomeByRecord(helper, params, actor, hangs ? LOOK_LIMIT_MS : null);
    if (recorded === 'unknown' && hangs) return null;
    if (recorded === 'unknown') continue;
    if (recorded) return recorded;
    // Asking for the record made the helper put back what it had left open.
    if (error.restored) return refusal(error);
  }
  return null;
}

/** Stages at which the helper has not touched anything yet. */
const HARMLESS_STAGES: ReadonlySet<HelperStage> = new Set([
  'connect',
  'validate',
  'render',
  'drift',
  'stage',
  'check',
  'space',
]);

/** After a lost answer even this needs the record's word: the first request may have been done. */
function isPlainRefusal({ stage, restored }: HelperError): boolean {
  return restored && HARMLESS_STAGES.has(stage);
}

/** Throws `HelperError`. */
export async function requestApply(
  helper: HelperTransport,
  params: ApplyParams,
  actor: string,
  contents: ContentsToSend | null = null,
): Promise<ApplyResult> {
  const answer = await requestWithContents(helper, params, actor, contents);
  if (!isApplyResult(answer)) throw lostAnswer();
  return answer;
}

/** The last change the helper finished: of the save under way too, unless that takes longer than `limitMs`. Throws `HelperError`. */
export async function requestRecord(
  helper: HelperTransport,
  actor: string,
  limitMs: number | null = null,
): Promise<AppliedRecord | null> {
  try {
    const options = limitMs === null ? { actor } : { actor, timeoutMs: limitMs };
    const answer = await helper.request('record', {}, options);
    if (answer === null || isAppliedRecord(answer)) return answer;
  } catch (error) {
    throw asHelperError(error);
  }
  throw lostAnswer();
}

/** What the helper noted when it finished a change. */
export function recordedOutcome(record: AppliedRecord): Outcome {
  if (record.status !== 'refused') return { state: 'applied', result: record.result ?? null };
  return refusal(record.failure ? new HelperError(record.failure) : refusedEarlier());
}

async function outcomeByRecord(
  helper: HelperTransport,
  params: ApplyParams,
  actor: string,
  limitMs: number | null,
): Promise<Outcome | null | 'unknown'> {
  let record: AppliedRecord | null;
  try {
    record = await requestRecord(helper, actor, limitMs);
  } catch {
    return 'unknown';
  }
  const same = record?.databaseId === params.databaseId && record.change === params.change;
  return record && same ? recordedOutcome(record) : null;
}

function refusal(error: HelperError): Outcome {
  return { state: 'refused', failure: error.toFailure(), error };
}

function asHelperError(error: unknown): HelperError {
  return error instanceof HelperError ? error : lostAnswer(error);
}

const APPLY_STATES: readonly unknown[] = ['applied', 'unchanged', 'preview'];
const RECORD_STATES: readonly unknown[] = ['applied', 'unchanged', 'refused'];

function isApplyResult(answer: unknown): answer is ApplyResult {
  const { status, parameters, files } = (answer ?? {}) as Partial<ApplyResult>;
  return APPLY_STATES.includes(status) && Array.isArray(parameters) && Array.isArray(files);
}

function isAppliedRecord(answer: unknown): answer is AppliedRecord {
  const { databaseId, change, status } = (answer ?? {}) as Partial<AppliedRecord>;
  return (
    typeof databaseId === 'string' && Number.isSafeInteger(change) && RECORD_STATES.includes(status)
  );
}
