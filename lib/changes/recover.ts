/** Brings the change in flight to its end after a crash, and notices when settings and system went apart. */
import type { Knex } from 'knex';
import type { HelperTransport, Log } from '../contract.js';
import { HelperError } from '../errors.js';
import type { AppliedRecord } from '../privileged/protocol.js';
import { applyUntilKnown, recordedOutcome, requestRecord, type Outcome } from './apply.js';
import { collectSections, type Catalogue } from './begin.js';
import type { ApplyingChange, Change, Divergence, Recovery } from './change.js';
import { isSame, requestAll } from './compare.js';
import { collectContents } from './contents.js';
import { markAgreement, markDivergence, readDivergence } from './divergence.js';
import { contradicted, unsettled } from './failures.js';
import { compareWithRecord, type Verdict } from './reconcile.js';
import { settle } from './settle.js';
import { findApplying, readDatabaseId, readNumbers, readStoredRows, skipNumbers } from './store.js';

export interface RecoverOptions {
  readonly db: Knex;
  readonly helper: HelperTransport;
  readonly catalogue: Catalogue;
  /** Who holds the lease `changes`. */
  readonly holder: string;
  readonly log: Log;
}

/** Rows of a change that are held at once. */
export const HELD_ROWS = 10_000;

/** Whom the helper's audit log names when nobody in particular asks. */
const NOBODY = 'mailserver';

export async function recoverChange(options: RecoverOptions): Promise<Recovery> {
  const { db, helper } = options;
  const applying = await findApplying(db);
  let record: AppliedRecord | null;
  try {
    record = await requestRecord(helper, applying?.actor ?? NOBODY);
  } catch (error) {
    if (!(error instanceof HelperError)) throw error;
    const waiting = applying ? error.toFailure() : null;
    return { settled: null, divergence: await readDivergence(db), waiting };
  }
  const numbers = await readNumbers(db);
  const databaseId = await readDatabaseId(db);
  const verdict = compareWithRecord({
    databaseId,
    applying: applying?.number ?? null,
    ...numbers,
    record,
  });
  // A number is never given twice, not even by a database that was put back: no old record can fit a new change.
  if (record?.databaseId === databaseId) await skipNumbers(db, record.change);
  if (!applying) {
    return {
      settled: null,
      divergence: await notice(options, verdict.divergence, record),
      waiting: null,
    };
  }
  const outcome = await bringToEnd(options, applying, verdict, databaseId, record);
  const settled = outcome && (await settleIt(options, applying, outcome));
  return {
    settled,
    divergence: await notice(options, verdict.divergence, record),
    waiting: settled ? null : unsettled().toFailure(),
  };
}

async function bringToEnd(
  { db, helper, catalogue, log }: RecoverOptions,
  applying: ApplyingChange,
  { unfinished }: Verdict,
  databaseId: string,
  record: AppliedRecord | null,
): Promise<Outcome | null> {
  switch (unfinished) {
    case 'settle by record':
      return record && recordedOutcome(record);
    case 'refuse': {
      const error = contradicted();
      return { state: 'refused', failure: error.toFailure(), error };
    }
    case 'apply again': {
      const sections = await collectSections(db, catalogue, applying.sections);
      const { number, decided, actor } = applying;
      const params = { databaseId, change: number, dryRun: false, sections, ...decided };
      // What is too much to be held is sent whole.
      const rows = isLarge(applying) ? null : await readStoredRows(db, number);
      const { sources } = catalogue;
      const contents = await collectContents(db, db, sources, applying.sections, rows);
      return applyUntilKnown(helper, params, actor, log, contents);
    }
  }
}

async function settleIt(
  { db, catalogue, holder, log }: RecoverOptions,
  applying: ApplyingChange,
  outcome: Outcome,
): Promise<Change> {
  const known = isLarge(applying) ? [] : undefined;
  const change = await settle(db, catalogue, applying.number, outcome, holder, known);
  log.info(
    { change: change.id, state: change.state },
    'an unfinished change was brought to its end',
  );
  return change;
}

function isLarge({ rowCount }: ApplyingChange): boolean {
  return rowCount > HELD_ROWS;
}

/** Marks the divergence, unless a look at the system shows that nothing differs. A mark stays until somebody decides. */
async function notice(
  { db, helper, catalogue, log }: RecoverOptions,
  kind: Divergence['kind'] | null,
  record: AppliedRecord | null,
): Promise<Divergence | null> {
  const marked = await readDivergence(db);
  if (marked || kind === null) return marked;
  try {
    if (isSame(await requestAll(db, helper, catalogue, NOBODY))) {
      await markAgreement(db);
      return null;
    }
  } catch (error) {
    if (!(error instanceof HelperError)) throw error;
  }
  const divergence: Divergence = {
    kind,
    systemChange: record?.change ?? null,
    noticedAt: new Date().toISOString(),
  };
  await markDivergence(db, divergence);
  log.warn(divergence, 'settings and system do not follow each other');
  return divergence;
}
