/**
 * One batch after the other: while one is on its way to the mail server, what became of the one before is noted and the next
 * one is marked, in one transaction. So the mail server never waits for the database, and each recipient is still marked
 * before the mail server hears of it.
 */
import type { Knex } from 'knex';
import type { BatchResult } from './courier.js';
import {
  claimRecipients,
  settleSending,
  untouched,
  type Outcome,
  type Recipient,
} from './recipient-store.js';
import { beginCheck, readMailing } from './store.js';

export interface BatchParts {
  readonly db: Knex;
  /** Never rejects. `may` is asked before each message. */
  readonly deliver: (recipients: readonly Recipient[], may: () => boolean) => Promise<BatchResult>;
  /** How many to mark while a batch is on its way; 0 when it is the last one for now. */
  readonly next: () => number;
}

export interface BatchesResult {
  /** Of the last batch. */
  readonly last: BatchResult;
  /** Of all of them. */
  readonly accepted: number;
}

/** Sends the first batch, which is marked already, and goes on while all goes well. Throws when the database does not answer. */
export async function sendBatches(
  { db, deliver, next }: BatchParts,
  mailing: string,
  first: readonly Recipient[],
): Promise<BatchesResult> {
  let batch = first;
  let former: readonly Outcome[] = [];
  let accepted = 0;
  for (;;) {
    const line = { open: true };
    const marking = noteAndMark(db, mailing, former, next()).then((marked) => {
      line.open = marked !== null;
      return marked ?? [];
    });
    // Waited for below, when nothing is on its way any more.
    marking.catch(() => undefined);
    const last = await deliver(batch, () => line.open);
    const ahead = await marking;
    const sent = last.outcomes.filter(({ state }) => state === 'accepted').length;
    accepted += sent;
    const well = last.halt === null && sent > 0 && !isDoubtful(last.outcomes);
    if (!well || ahead.length === 0) {
      await note(db, mailing, [...last.outcomes, ...ahead.map(untouched)]);
      return { last, accepted };
    }
    former = last.outcomes;
    batch = ahead;
  }
}

/** Whether it is to be found out of some whether the mail server has them. */
export function isDoubtful(outcomes: readonly Outcome[]): boolean {
  return outcomes.some(({ state }) => state === 'checking');
}

async function note(db: Knex, mailing: string, outcomes: readonly Outcome[]): Promise<void> {
  await db.transaction(async (trx) => {
    await settleSending(trx, mailing, outcomes);
    if (isDoubtful(outcomes)) await beginCheck(trx, mailing);
  });
}

/** Null when the mailing is not to be sent any more. */
async function noteAndMark(
  db: Knex,
  mailing: string,
  outcomes: readonly Outcome[],
  count: number,
): Promise<readonly Recipient[] | null> {
  if (outcomes.length === 0 && count === 0) return [];
  return db.transaction(async (trx) => {
    await settleSending(trx, mailing, outcomes);
    if (count === 0) return [];
    const marked = await claimRecipients(trx, mailing, count);
    if (marked.length > 0) return marked;
    return (await readMailing(trx, mailing))?.state === 'running' ? [] : null;
  });
}
