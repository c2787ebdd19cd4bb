/** One batch after the other, on a real database, with a mail server that does what the test says. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { sendBatches } from '../../lib/bulk/batches.js';
import type { BatchResult } from '../../lib/bulk/courier.js';
import {
  claimRecipients,
  insertRecipients,
  readRecipients,
  type Outcome,
  type Recipient,
} from '../../lib/bulk/recipient-store.js';
import { RECIPIENT_STATES } from '../../lib/bulk/schema.js';
import { insertMailing, moveMailing, readMailing, startDraft } from '../../lib/bulk/store.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { until } from '../support/wait.js';

const TEXT = {
  ...{ sender: 'anna@example.com', senderName: 'Anna', subject: 'News', body: 'Hello' },
  ...{ formatted: false, include: [], exclude: [], rate: 0 },
};
const BATCH = 2;
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('batches of a mailing', () => {
  let database: MemoryDatabase;
  let id: string;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());
  beforeEach(async () => {
    const { db } = database;
    await db('mail_bulk_mailings').delete();
    id = await insertMailing(db, { key: 'a'.repeat(20), secret: 'b'.repeat(20) }, TEXT, 'anna');
    const people = Array.from({ length: 7 }, (_, index) => ({
      ...{ address: `p${index + 1}@example.com`, name: '', login: `p${index + 1}` },
      ...{ state: 'waiting' as const, reply: '' },
    }));
    await insertRecipients(db, id, people);
    await startDraft(db, id, 1);
  });

  const states = async (): Promise<string> => {
    const query = { states: RECIPIENT_STATES, search: '', after: 0, limit: 10 };
    return (await readRecipients(database.db, id, query)).map(({ state }) => state).join(' ');
  };
  const outcome = ({ no }: Recipient, state: Outcome['state']): Outcome => ({
    ...{ no, state, queueId: `3A0B1C2D${no}`, reply: '250 ok', tried: true, delay: 0 },
  });
  const all = (some: readonly Recipient[]): BatchResult => ({
    outcomes: some.map((one) => outcome(one, 'accepted')),
    halt: null,
  });
  const send = async (
    deliver: (some: readonly Recipient[], may: () => boolean) => Promise<BatchResult>,
  ) =>
    sendBatches(
      { db: database.db, deliver, next: () => BATCH },
      id,
      await claimRecipients(database.db, id, BATCH),
    );

  it('are marked before the mail server hears of them, each once, and noted to the last', async () => {
    const heard: number[] = [];
    const { accepted } = await send(async (some) => {
      const marked = (await states()).split(' ');
      for (const { no } of some) {
        assert.equal(marked[no - 1], 'sending');
        heard.push(no);
      }
      return all(some);
    });
    assert.equal(accepted, 7);
    assert.deepEqual(heard, [1, 2, 3, 4, 5, 6, 7]);
    assert.equal(await states(), Array(7).fill('accepted').join(' '));
  });

  it('put back whom the mail server has not heard of when it does not go on', async () => {
    let times = 0;
    const { last, accepted } = await send((some) => {
      times += 1;
      if (times === 1) return Promise.resolve(all(some));
      const [first, second] = some;
      assert.ok(first && second);
      const outcomes = [outcome(first, 'accepted'), outcome(second, 'waiting')];
      return Promise.resolve({ outcomes, halt: { kind: 'busy', reply: '421 later' } });
    });
    assert.equal(last.halt?.reply, '421 later');
    assert.equal(accepted, 3);
    assert.equal(await states(), 'accepted accepted accepted waiting waiting waiting waiting');
  });

  it('end in the middle when the mailing is paused', async () => {
    let times = 0;
    await send(async (some, may) => {
      times += 1;
      if (times === 1) {
        await until('the next ones to be marked', async () => {
          return (await states()).startsWith('sending sending sending sending');
        });
        await moveMailing(database.db, id, ['running'], 'paused');
        return all(some);
      }
      await until('the pause to be seen', () => !may());
      return { outcomes: some.map((one) => outcome(one, 'waiting')), halt: null };
    });
    assert.equal(times, 2);
    assert.equal(await states(), 'accepted accepted waiting waiting waiting waiting waiting');
  });

  it('are let go of when they are over, so that a mailing to many takes no more memory', async () => {
    const over: WeakRef<object>[] = [];
    let times = 0;
    await send(async (some) => {
      times += 1;
      const result = all(some);
      if (times === 2) over.push(...[...some, ...result.outcomes].map((one) => new WeakRef(one)));
      if (times === 4) {
        await until('the second batch to be collected', () => {
          collectGarbage();
          return over.every((one) => one.deref() === undefined);
        });
      }
      return result;
    });
    assert.equal(times, 4);
    assert.equal(over.length, 2 * BATCH);
  });

  it('in doubt are to be looked up', async () => {
    await send((some) =>
      Promise.resolve({ outcomes: some.map((one) => outcome(one, 'checking')), halt: null }),
    );
    assert.equal(await states(), 'checking checking waiting waiting waiting waiting waiting');
    assert.notEqual((await readMailing(database.db, id))?.checkSince, null);
  });
});
