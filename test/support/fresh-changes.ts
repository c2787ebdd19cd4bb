/** An empty database with the one way to save, and a helper that remembers what it applied: anew for each test. */
import { after, before } from 'node:test';
import type { Knex } from 'knex';
import { createChanges, type Changes } from '../../lib/changes/service.js';
import type { Databases } from './databases.js';
import { createFakeHelper, type FakeHelper } from './fake-helper.js';
import { testSources } from './intents.js';
import { silentLog } from './log.js';

export interface FreshChanges {
  readonly db: Knex;
  readonly helper: FakeHelper;
  readonly changes: Changes;
}

/** To be called within `describe`: starts the engine before its tests and stops it after them. Gives a fresh set. */
export function freshChanges(start: () => Promise<Databases>): () => Promise<FreshChanges> {
  let databases: Databases;
  before(async () => {
    databases = await start();
  });
  after(() => databases.stop());
  return async () => {
    const db = await databases.fresh();
    const helper = createFakeHelper();
    const changes = createChanges({ db, helper, sources: testSources, log: silentLog });
    return { db, helper, changes };
  };
}
