/** Rules for spam do not grow old by themselves. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createHelper } from '../../lib/client/helper.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { createDailyRules } from '../../lib/security/daily-rules.js';
import { SECURITY_DEFAULTS } from '../../lib/security/schema.js';
import { recordingLog } from '../support/log.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import {
  recordingHelper,
  refusedAt,
  SCANNERS_OFF,
  type RecordingHelper,
} from '../support/recording-helper.js';

const HOUR_MS = 3_600_000;
const NOW = new Date('2026-05-01T12:00:00Z').getTime();
const PROXY = 'http://proxy.example:3128';

describe('newer rules for spam', () => {
  let database: MemoryDatabase;
  let helper: RecordingHelper;
  let now: number;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());
  beforeEach(() => {
    now = NOW;
    helper = recordingHelper();
    helper.answers['security-update'] = () => ({ done: ['rules'] });
  });

  const { log, entries } = recordingLog();
  const create = () =>
    createDailyRules({
      ...{ db: database.db, helper: createHelper(helper), log, now: () => now },
      proxy: () => Promise.resolve(PROXY),
    });
  const fetched = (): object[] =>
    helper.calls.filter(({ action }) => action === 'security-update').map(({ params }) => params);
  const machine = (spam: boolean, ageHours: number): void => {
    helper.answers['security-status'] = () => ({
      ...SCANNERS_OFF,
      settings: { ...SECURITY_DEFAULTS, spam },
      spamassassin: {
        ...SCANNERS_OFF.spamassassin,
        rules: { at: new Date(NOW - ageHours * HOUR_MS).toISOString() },
      },
    });
  };

  it('are fetched once a day, through the proxy, where spam is looked for', async () => {
    machine(true, 30);
    const rules = create();
    await rules.look();
    assert.deepEqual(fetched(), [{ what: 'rules', proxy: PROXY }]);
    await rules.look();
    assert.equal(fetched().length, 1, 'asked a moment ago');
    now += 24 * HOUR_MS;
    await rules.look();
    assert.equal(fetched().length, 2);
    await rules.close();
  });

  it('are not fetched where nobody uses them, or they are new', async () => {
    for (const [spam, age] of [
      [false, 30],
      [true, 3],
    ] as const) {
      machine(spam, age);
      await create().look();
    }
    assert.deepEqual(fetched(), []);
  });

  it('are tried again after a failure, which is told in the log, and by one process at a time', async () => {
    machine(true, 30);
    helper.failure = refusedAt('run', 'helper.security.update');
    const rules = create();
    await rules.look();
    assert.ok(entries.some(({ level }) => level === 'warn'));
    helper.failure = null;
    await database.db('mail_leases').insert({
      ...{ name: 'daily-rules', holder: 'another' },
      expires_at: database.db.raw("clock_timestamp() + interval '1 minute'"),
    });
    await rules.look();
    assert.deepEqual(fetched(), [], 'the other one does it');
    await database.db('mail_leases').delete();
    await rules.look();
    assert.equal(fetched().length, 1);
  });
});
