import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { createFetchmailHolding } from '../../lib/fetchmail/holding.js';
import { NEW_QUERY, type QueryValues } from '../../lib/fetchmail/schema.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';

const BOX = `mb1.${'B'.repeat(80)}`;
const query = (change: Partial<QueryValues>): QueryValues => ({
  ...NEW_QUERY,
  name: 'pop.provider.example',
  server: 'pop.provider.example',
  remoteUser: 'me',
  remotePassword: BOX,
  users: ['alice'],
  ...change,
});

describe('all fetchmail queries as a whole', () => {
  const holding = createFetchmailHolding((secret) => Promise.resolve(`mb1.${secret}`));
  const secrets = holding.secrets ?? assert.fail('it has secrets');
  let database: MemoryDatabase;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());
  const write = (queries: readonly QueryValues[]) =>
    database.db.transaction((trx) => holding.write(trx, { queries }, 'test'));

  it('are read as they were written, and written again touch nothing', async () => {
    const queries = [query({ name: 'a' }), query({ name: 'b', remoteUser: 'you' })];
    await write(queries);
    assert.deepEqual(await holding.read(database.db), { queries });
    assert.deepEqual(await write(queries), []);
  });

  it('keep the row of a mailbox that stays, and lose those that go', async () => {
    await write([query({ name: 'a' }), query({ name: 'b' })]);
    const ids = await database.db('mail_fetch_queries').orderBy('name').pluck<string[]>('id');
    await write([query({ name: 'b', keep: true }), query({ name: 'c' })]);
    const rows = await database
      .db('mail_fetch_queries')
      .orderBy('name')
      .select<{ id: string; name: string }[]>();
    assert.deepEqual(
      rows.map(({ name }) => name),
      ['b', 'c'],
    );
    assert.equal(rows[0]?.id, ids[1]);
  });

  it('leave the machine without passwords, and ask for those that cannot be kept', () => {
    const present = { queries: [query({})] };
    const bare = secrets.strip(present);
    assert.deepEqual(
      bare.queries.map(({ remotePassword }) => remotePassword),
      [''],
    );
    assert.equal(holding.schema.validate(bare).error, undefined);
    assert.deepEqual(secrets.fill(bare, present, new Map()).value, present);
    const elsewhere = { queries: [query({ port: 1_995 })] };
    const { missing } = secrets.fill(bare, elsewhere, new Map());
    assert.deepEqual(
      missing.map(({ about }) => about),
      ['me, pop.provider.example'],
    );
    const given = new Map(missing.map(({ name }) => [name, 'without'] as const));
    assert.deepEqual(secrets.fill(bare, elsewhere, given), { value: { queries: [] }, missing: [] });
  });

  it('are refused when they say what no form would take', () => {
    for (const change of [{ server: 'a b' }, { remoteUser: 'a\nb' }, { protocol: 'sh' as never }]) {
      assert.ok(
        holding.schema.validate({ queries: [query(change)] }).error,
        JSON.stringify(change),
      );
    }
    for (const value of [null, {}, { queries: 1 }, { queries: [null] }]) {
      assert.ok(holding.schema.validate(value).error, JSON.stringify(value));
    }
  });
});
