/** What a process leaves behind that dies in the middle of a save. */
import assert from 'node:assert/strict';
import type { Knex } from 'knex';
import { beginChange, type Begun } from '../../lib/changes/begin.js';
import type { Intent } from '../../lib/changes/change.js';
import { secretsOfSources } from '../../lib/changes/secrets.js';
import { releaseLease } from '../../lib/database/lease.js';
import { testSources } from '../support/intents.js';

/**
 * It died after the intent, before it asked the helper; any other holder than `dead` lives and drives the change. Resolves
 * with the number of the change.
 */
export async function dieAfterIntent(db: Knex, intent: Intent, holder = 'dead'): Promise<number> {
  const catalogue = {
    sources: new Map(testSources.map((source) => [source.section, source])),
    secrets: secretsOfSources(testSources),
  };
  const begun: Begun = await beginChange(db, catalogue, intent, holder);
  assert.ok('params' in begun);
  if (holder === 'dead') await releaseLease(db, 'changes', holder);
  return begun.params.change;
}
