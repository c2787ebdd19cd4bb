/** Messages of which nobody knows whether the mail server has them: found out, or left to a person. */
import type { Knex } from 'knex';
import { gatherEvidence, type FollowParts } from './follower.js';
import { checkTimes, moveRecipients } from './recipient-store.js';
import { endCheck, type Mailing } from './store.js';

/** Something that does not come to rest within this long is left to a person, in seconds. */
const LIMIT_SECONDS = 900;
/** Clocks of two machines, and the way of a mark into the database. Seconds. */
const MARGIN_SECONDS = 60;

/**
 * Asks once. Those with a trace in log or queue are as good as sent; those without one go back to the ones that wait, when
 * `waitMs` have passed, nothing is under way any more, and nothing is missing in what was asked. Throws `HelperError`.
 */
export async function settleChecks(
  parts: FollowParts,
  mailing: Mailing,
  waitMs: number,
): Promise<void> {
  const { db } = parts;
  const before = await checkTimes(db, mailing.id);
  if (before === null) return endCheck(db, mailing.id);
  const { quiet, complete } = await gatherEvidence(
    parts,
    mailing,
    before.firstSentAge + MARGIN_SECONDS,
  );
  const late = before.lastChangeAge > LIMIT_SECONDS;
  const settled = quiet && before.lastChangeAge * 1000 >= waitMs;
  if (!settled && !late) {
    if ((await checkTimes(db, mailing.id)) === null) await endCheck(db, mailing.id);
    return;
  }
  await db.transaction(async (trx: Knex.Transaction) => {
    const to = settled && complete ? 'waiting' : 'doubtful';
    // A mailing that was stopped meanwhile is not sent any more.
    const over = to === 'waiting' && mailing.state === 'cancelled';
    await moveRecipients(trx, mailing.id, ['checking'], over ? 'unsent' : to);
    await endCheck(trx, mailing.id);
  });
}
