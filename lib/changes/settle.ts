/** The last step of a save: the change is applied, or its rows are put back; either way its boxes are erased. */
import type { Knex } from 'knex';
import { releaseLease } from '../database/lease.js';
import type { Outcome } from './apply.js';
import { CHANGES_LEASE, type Catalogue } from './begin.js';
import type { Change, TouchedRow } from './change.js';
import { noteContents } from './contents.js';
import { putBack } from './put-back.js';
import { secretsOfRow, unmaskRow } from './secrets.js';
import {
  eraseBoxes,
  findChange,
  lockChangeOrder,
  readStoredPagesBackwards,
  settleChange,
} from './store.js';

/**
 * Gives the settled change, whoever settled it: another process may have taken it over. Releases the lease. `known` are
 * its rows where the caller has them: there may be 100,000, which are not read again.
 */
export async function settle(
  db: Knex,
  { secrets }: Catalogue,
  number: number,
  outcome: Outcome,
  holder: string,
  known?: readonly TouchedRow[],
): Promise<Change> {
  await db.transaction(async (trx) => {
    await lockChangeOrder(trx);
    if (await settleChange(trx, number, outcome)) {
      if (outcome.state === 'applied') await noteContents(trx, outcome.result);
      else await putAllBack(trx, secrets, number);
    }
    await eraseBoxes(trx, number);
    await releaseLease(trx, CHANGES_LEASE, holder);
  });
  const change = await findChange(db, number, known ? { known } : {});
  if (!change) throw new Error(`change ${number} is gone`);
  return change;
}

async function putAllBack(
  trx: Knex.Transaction,
  secrets: Catalogue['secrets'],
  number: number,
): Promise<void> {
  for await (const rows of readStoredPagesBackwards(trx, number)) {
    await putBack(
      trx,
      rows.map((row) => ({
        ...row,
        before: row.before && unmaskRow(row.before, secretsOfRow(secrets, row), row.sealedBefore),
      })),
    );
  }
}
