import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Helper } from '../../lib/client/helper.js';
import type { HelperProgress } from '../../lib/contract.js';
import { insertRecipients, readRecipients } from '../../lib/bulk/recipient-store.js';
import { createBulkRunner, TIMING, type BulkRunner } from '../../lib/bulk/runner.js';
import { RECIPIENT_STATES, type FollowEvent, type RecipientState } from '../../lib/bulk/schema.js';
import { insertMailing, moveMailing, noteLogCursor, startDraft } from '../../lib/bulk/store.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { silentLog } from '../support/log.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { until } from '../support/wait.js';

const TEXT = {
  ...{ sender: 'anna@example.com', senderName: 'Anna', subject: 'News', body: 'Hello' },
  ...{ formatted: false, include: [], exclude: [], rate: 0 },
};
const IDENTITY = { key: 'a'.repeat(20), secret: 'b'.repeat(20) };

describe('a mailing that is not being sent', () => {
  let database: MemoryDatabase;
  let said: FollowEvent[];
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());
  beforeEach(async () => {
    said = [];
    await database.db('mail_bulk_mailings').delete();
  });

  /** The log says what the test says, at each look. */
  const helper = {
    call: (
      _action: string,
      _params: object,
      options: { onProgress?: (p: HelperProgress) => void },
    ) => {
      options.onProgress?.({ done: said.length, total: said.length, row: said });
      return Promise.resolve({
        cursor: 'file.1.1',
        more: false,
        gap: false,
        crashed: false,
        quiet: true,
      });
    },
  } as unknown as Helper;

  const begin = async (states: readonly RecipientState[]): Promise<string> => {
    const { db } = database;
    const id = await insertMailing(db, IDENTITY, TEXT, 'anna');
    const people = states.map((state, index) => ({
      ...{ address: `p${index}@example.com`, name: '', login: `p${index}`, state, reply: '' },
    }));
    await insertRecipients(db, id, people);
    await db('mail_bulk_recipients').where({ mailing: id }).update({ sent_at: db.fn.now() });
    await startDraft(db, id, 1);
    await noteLogCursor(db, id, 'file.1.0');
    return id;
  };
  const statesOf = async (mailing: string): Promise<readonly RecipientState[]> => {
    const query = { states: RECIPIENT_STATES, search: '', after: 0, limit: 10 };
    return (await readRecipients(database.db, mailing, query)).map(({ state }) => state);
  };
  const running = async (work: (runner: BulkRunner) => Promise<unknown>): Promise<void> => {
    const timing = { ...TIMING, idleMs: 20 };
    const runner = createBulkRunner({ db: database.db, helper, log: silentLog, timing });
    runner.start();
    try {
      await work(runner);
    } finally {
      await runner.close();
    }
  };

  it('keeps nobody waiting once it was stopped, also whom its last batch brought back', async () => {
    const id = await begin(['delivered', 'waiting']);
    await moveMailing(database.db, id, ['running'], 'cancelled');
    await running(() =>
      until('both to be settled', async () => !(await statesOf(id)).includes('waiting')),
    );
    assert.deepEqual(await statesOf(id), ['delivered', 'unsent']);
  });

  it('says that it is stuck while the database takes no changes, and goes on by itself', async () => {
    const id = await begin(['accepted']);
    await moveMailing(database.db, id, ['running'], 'paused');
    said = [
      [1, 'known', '3A0B1C2D3E', ''],
      [1, 'removed', '3A0B1C2D3E', ''],
    ];
    const { db } = database;
    await db.raw('alter table mail_bulk_recipients rename to away');
    await running(async (runner) => {
      await until('it to be stuck', () => runner.stuck()?.kind === 'database');
      await db.raw('alter table away rename to mail_bulk_recipients');
      await until('it to go on', async () => (await statesOf(id))[0] === 'delivered');
      await until('it to be well', () => runner.stuck() === null);
    });
  });

  it('is told what becomes of its messages while it is paused, and keeps the others waiting', async () => {
    const id = await begin(['accepted', 'waiting']);
    said = [
      [1, 'known', '3A0B1C2D3E', ''],
      [1, 'removed', '3A0B1C2D3E', ''],
    ];
    await moveMailing(database.db, id, ['running'], 'paused');
    await running(() =>
      until('the first to have it', async () => (await statesOf(id))[0] === 'delivered'),
    );
    assert.deepEqual(await statesOf(id), ['delivered', 'waiting']);
  });
});
