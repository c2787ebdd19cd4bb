/** Long work on the embedded database leaves room for everything else in the process. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';

const QUERIES = 400;

describe('a long transaction on the embedded database', () => {
  let database: MemoryDatabase;
  before(async () => {
    database = await openMemoryDatabase();
    await database.db.schema.createTable('one', (table) => table.integer('number'));
  });
  after(() => database.close());

  it('lets timers run meanwhile, also those that ask the database something', async () => {
    let turns = 0;
    let asked = 0;
    const timer = setInterval(() => {
      turns += 1;
      // As the watchdog asks: the protocol's Sync, past the pool.
      void database.sync().then(() => (asked += 1));
    }, 1);
    try {
      await database.db.transaction(async (trx) => {
        for (let number = 0; number < QUERIES; number += 1) {
          const answer: { rows: unknown[] } = await trx.raw(
            `insert into one select ? + 0 * count(*) from generate_series(1, 20000) returning number`,
            [number],
          );
          assert.deepEqual(answer.rows, [{ number }]);
        }
      });
    } finally {
      clearInterval(timer);
    }
    const [row] = await database.db('one').count<{ count: string }[]>();
    assert.equal(Number(row?.count), QUERIES);
    assert.ok(turns > 10, `${turns} turns`);
    assert.ok(asked > 10, `${asked} answers`);
  });
});
