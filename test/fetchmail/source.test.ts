import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Knex } from 'knex';
import { createChanges, type Changes } from '../../lib/changes/service.js';
import type { TouchedRow } from '../../lib/changes/change.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import type { FetchmailSettings } from '../../lib/fetchmail/schema.js';
import { fetchmailSource } from '../../lib/fetchmail/source.js';
import {
  insertQuery,
  readQueries,
  removeQuery,
  updateQuery,
  type StoredQuery,
} from '../../lib/fetchmail/store.js';
import { silentLog } from '../support/log.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { someQuery } from '../support/queries.js';
import { recordingHelper, refusedAt } from '../support/recording-helper.js';

const PLAIN = someQuery();
const FULL = someQuery({
  ...{ name: 'a', server: 'imap.provider.example', sameServer: false, port: 1143 },
  ...{ destination: 'multidrop', users: ['alice', 'zoë'], localDomains: ['a.example'] },
  ...{ folders: ['INBOX', 'Entwürfe "2"'], sizeLimit: 0.25, fetchLimit: 3, batchLimit: 4 },
  ...{ expunge: 5, keep: true, dropDelivered: true, envelope: 'X-To', enabled: false },
});

type Write = Parameters<Changes['save']>[0]['write'];

describe('a query on its way to the helper', () => {
  let database: MemoryDatabase;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());

  const queryAt = async (index: number, db: Knex = database.db): Promise<StoredQuery> => {
    const query = (await readQueries(db))[index];
    assert.ok(query);
    return query;
  };

  it('is the same whether it is sent alone or with all others', async () => {
    const { db } = database;
    const inserted = await db.transaction(async (trx): Promise<TouchedRow[]> => [
      ...(await insertQuery(trx, PLAIN, 'anna')),
      ...(await insertQuery(trx, FULL, 'anna')),
    ]);
    const first = await queryAt(0);
    const updated = await db.transaction((trx) =>
      updateQuery(trx, first, { ...FULL, sizeLimit: 2, remotePassword: '' }, 'anna'),
    );
    const images = [updated[0]?.after, inserted[1]?.after];
    const alone = images.map((image) => image && fetchmailSource.rows?.row(image));
    assert.deepEqual({ queries: alone }, await fetchmailSource.collect(db));
  });

  it('goes alone once the helper has named what it has, also after a change it refused', async () => {
    const { db } = database;
    const helper = recordingHelper();
    const changes = createChanges({ db, helper, sources: [fetchmailSource], log: silentLog });
    const save = (write: Write, base: string) => {
      helper.result = { contents: { fetchmail: base } };
      const title = { key: 'fetchmail.title', values: {} };
      return changes.save({ sections: ['fetchmail'], title, actor: 'anna', write });
    };
    const sent = () => {
      const { sections, rows } = helper.applied.at(-1) ?? {};
      return { sections, rows };
    };
    const [first, second] = [await queryAt(0), await queryAt(1)];

    await save((trx) => updateQuery(trx, first, { interval: 600 }, 'anna'), 'one');
    assert.deepEqual(sent(), {
      sections: { fetchmail: await fetchmailSource.collect(db) },
      rows: undefined,
    });

    await save((trx) => updateQuery(trx, second, { interval: 700 }, 'anna'), 'two');
    const { queries } = (await fetchmailSource.collect(db)) as FetchmailSettings;
    assert.deepEqual(sent(), {
      sections: {},
      rows: { fetchmail: { base: 'one', set: [queries[1]], gone: [] } },
    });

    helper.refusal = refusedAt('check', 'helper.check.postfix');
    const removal = async (trx: Parameters<Write>[0]) => removeQuery(trx, await queryAt(0, trx));
    const gone = [first.id];
    await assert.rejects(save(removal, 'three'));
    helper.refusal = null;
    await save(removal, 'four');
    assert.deepEqual(sent().rows, { fetchmail: { base: 'two', set: [], gone } });
    await changes.close();
  });
});
