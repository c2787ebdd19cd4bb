import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { fetchmailSource } from '../../lib/fetchmail/source.js';
import { insertQuery, readQueries, updateQuery } from '../../lib/fetchmail/store.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { someQuery } from '../support/queries.js';

describe('a query on its way to the helper', () => {
  let database: MemoryDatabase;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());

  it('is the same whether it is sent alone or with all others', async () => {
    const { id: _id, ...plain } = someQuery();
    const { id: _other, ...full } = someQuery({
      ...{ name: 'a', server: 'imap.provider.example', sameServer: false, port: 1143 },
      ...{ destination: 'multidrop', users: ['alice', 'zoë'], localDomains: ['a.example'] },
      ...{ folders: ['INBOX', 'Entwürfe "2"'], sizeLimit: 0.25, fetchLimit: 3, batchLimit: 4 },
      ...{ expunge: 5, keep: true, dropDelivered: true, envelope: 'X-To', enabled: false },
    });
    const { db } = database;
    const inserted = await db.transaction(async (trx) => [
      ...(await insertQuery(trx, plain, 'anna')),
      ...(await insertQuery(trx, full, 'anna')),
    ]);
    const [first] = await readQueries(db);
    assert.ok(first);
    const updated = await db.transaction((trx) =>
      updateQuery(trx, first, { ...full, sizeLimit: 2, remotePassword: '' }, 'anna'),
    );
    const images = [updated[0]?.after, inserted[1]?.after];
    const alone = images.map((image) => image && fetchmailSource.rows?.row(image));
    assert.deepEqual({ queries: alone }, await fetchmailSource.collect(db));
  });
});
