/** Rules of mailings that need more people than a test has. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { World } from '../../lib/aliases/resolve.js';
import type { Worlds } from '../../lib/aliases/world.js';
import { createBulkService } from '../../lib/bulk/service.js';
import type { DirectoryUser } from '../../lib/contract.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { UserError } from '../../lib/errors.js';
import type { Machine } from '../../lib/machine/service.js';
import { silentLog } from '../support/log.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';

const USERS = ['anna', 'ben', 'cora'].map((login): DirectoryUser => ({
  ...{ id: login, login, name: login, addresses: [], hasMailbox: true },
  ...{ system: false, locked: false, groups: [] },
}));
const WORLD: World = {
  ...{ isLocal: (domain) => domain === 'example.com', domains: ['example.com'] },
  ...{ unknownToAdmin: false, delimiters: '', home: 'example.com', addresses: new Set() },
  ...{ users: new Set(USERS.map(({ login }) => login)), system: new Map() },
  people: new Set(),
  aliases: () => Promise.resolve(new Map()),
};

describe('a mailing to more people than one can have', () => {
  let database: MemoryDatabase;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());

  it('says so on its draft, and is not sent', async () => {
    const service = createBulkService({
      ...{ db: database.db, helper: null, log: silentLog, limit: 2 },
      machine: { look: () => Promise.resolve({ view: null }) } as unknown as Machine,
      directory: {
        ...{ kind: 'nss', users: () => Promise.resolve(USERS), groups: () => Promise.resolve([]) },
        onChange: () => () => undefined,
      },
      worlds: { now: () => Promise.resolve(WORLD) } as unknown as Worlds,
    });
    const values = {
      ...{ sender: 'anna@example.com', senderName: '', subject: 'News', body: 'Hello' },
      ...{ formatted: false, include: [], exclude: [], rate: 0 },
    };
    const id = await service.create({ values, attachments: [], actor: 'anna' });
    const { obstacle, digest, mailing } = await service.draft(id);
    assert.deepEqual(obstacle, { key: 'bulk.tooMany', values: { limit: 2 } });
    await assert.rejects(service.send(id, { version: mailing.version, digest }, 'anna'), UserError);
    assert.equal((await service.get(id)).state, 'draft');
    const fewer = { values: { ...values, exclude: ['cora'] }, attachments: [], actor: 'anna' };
    await service.change(id, mailing.version, fewer);
    const draft = await service.draft(id);
    assert.equal(draft.obstacle, null);
    const shown = { version: draft.mailing.version, digest: draft.digest };
    await service.send(id, shown, 'anna');
    assert.equal((await service.get(id)).state, 'running');
  });
});
