import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { DirectoryUser } from '../../lib/contract.js';
import type { Intent } from '../../lib/changes/change.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import {
  BELIEVED_AFTER_MS,
  createRecipientsService,
  recipientsOf,
  type RecipientsParts,
} from '../../lib/recipients/service.js';
import { readRecipients } from '../../lib/recipients/store.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { silentLog } from '../support/log.js';

function user(login: string, ...addresses: string[]): DirectoryUser {
  const rest = { system: false, locked: false, groups: [] };
  return { id: login, login, name: login, addresses, hasMailbox: true, ...rest };
}

describe('the names of recipients', () => {
  it('are logins, addresses and their local parts, in the form in which Postfix asks for them', () => {
    const users = [user('Zoe', 'Zoe.Last@Bücher.example'), user('ben')];
    assert.deepEqual(Object.fromEntries(recipientsOf(users)), {
      zoe: 'zoe',
      ben: 'ben',
      'zoe.last@xn--bcher-kva.example': 'zoe',
      'zoe.last': 'zoe',
    });
  });

  it('leave a login to whoever has it, and an address to the first who has it', () => {
    const users = [
      user('ben', 'zoe@example.org', 'info@example.org'),
      user('zoe', 'info@example.org'),
    ];
    const names = recipientsOf(users);
    assert.equal(names.get('zoe'), 'zoe');
    assert.equal(names.get('info@example.org'), 'ben');
  });

  it('hold nobody without a mailbox, and nothing that is no name', () => {
    const users = [
      { ...user('ann'), hasMailbox: false },
      user('a b'),
      user('$(id)', '|x@example.org'),
    ];
    assert.equal(recipientsOf(users).size, 0);
  });
});

describe('following a directory', () => {
  let database: MemoryDatabase;
  let users: DirectoryUser[];
  let saved: Intent[];
  let isReachable: boolean;
  before(async () => {
    database = await openMemoryDatabase();
    await migrateMail(database.db);
  });
  after(() => database.close());
  beforeEach(async () => {
    await database.db('mail_recipients').delete();
    users = [user('zoe'), user('ben')];
    saved = [];
    isReachable = true;
  });

  const serviceOf = (kind: 'nss' | 'table', now: () => number = Date.now) => {
    const changes: RecipientsParts['changes'] = {
      save: async (intent) => {
        saved.push(intent);
        await database.db.transaction((trx) => intent.write(trx));
        return {} as Awaited<ReturnType<RecipientsParts['changes']['save']>>;
      },
    };
    return createRecipientsService({
      ...{ db: database.db, changes, log: silentLog, now },
      directory: { kind, users: () => Promise.resolve(users), onChange: () => () => undefined },
      reachable: () => Promise.resolve(isReachable),
    });
  };
  const follow = async (kind: 'nss' | 'table' = 'table'): Promise<string[]> => {
    const service = serviceOf(kind);
    await service.look();
    await service.close();
    return (await readRecipients(database.db)).map(({ name }) => name);
  };

  it('is one change, and none when nothing is other than before', async () => {
    assert.deepEqual(await follow(), ['ben', 'zoe']);
    await follow();
    assert.equal(saved.length, 1);
    users = [user('zoe'), user('ida')];
    assert.deepEqual(await follow(), ['ida', 'zoe']);
    assert.equal(saved.length, 2);
  });

  it('does not believe that everybody has left', async () => {
    await follow();
    users = [];
    assert.deepEqual(await follow(), ['ben', 'zoe']);
  });

  it('keeps for an hour those whom a directory that is half up does not name, and adds who came', async () => {
    const all = ['ada', 'ben', 'cleo', 'dan', 'eve', 'finn', 'gus', 'hal'];
    let now = 0;
    users = all.map((login) => user(login, `${login}@example.org`));
    const service = serviceOf('table', () => now);
    const known = async () => {
      await service.look();
      return new Set((await readRecipients(database.db)).map(({ login }) => login));
    };
    assert.deepEqual([...(await known())], all);
    users = [user('ada', 'ada@example.org'), user('zoe')];
    assert.deepEqual(await known(), new Set([...all, 'zoe']));
    const [told] = service.troubles();
    assert.deepEqual(told?.values, { gone: 7, before: 8, minutes: 60 });
    now += BELIEVED_AFTER_MS - 1;
    assert.equal((await known()).size, 9);
    users = all.map((login) => user(login, `${login}@example.org`));
    assert.equal((await known()).size, 8);
    assert.deepEqual(service.troubles(), []);
    users = [user('ada', 'ada@example.org')];
    assert.equal((await known()).size, 8);
    now += BELIEVED_AFTER_MS;
    assert.deepEqual([...(await known())], ['ada']);
    assert.deepEqual(service.troubles(), []);
    await service.close();
  });

  it('begins the hour anew when still more people are missing, or all of them', async () => {
    const all = ['ada', 'ben', 'cleo', 'dan', 'eve', 'finn', 'gus', 'hal'];
    const name = (logins: readonly string[]) => {
      users = logins.map((login) => user(login, `${login}@example.org`));
    };
    let now = 0;
    name(all);
    const service = serviceOf('table', () => now);
    const known = async () => {
      await service.look();
      return new Set((await readRecipients(database.db)).map(({ login }) => login)).size;
    };
    assert.equal(await known(), 8);
    name(['ada', 'ben', 'cleo']);
    assert.equal(await known(), 8);
    now += BELIEVED_AFTER_MS;
    name(['ada']);
    assert.equal(await known(), 8);
    name([]);
    assert.equal(await known(), 8);
    now += BELIEVED_AFTER_MS;
    name(['ada']);
    assert.equal(await known(), 8);
    now += BELIEVED_AFTER_MS;
    assert.equal(await known(), 1);
    await service.close();
  });

  it('waits for a helper that is away, and leaves no refused change for that', async () => {
    isReachable = false;
    assert.deepEqual(await follow(), []);
    assert.equal(saved.length, 0);
  });

  it('ends when the users are those of the system, and never begins there', async () => {
    await follow('nss');
    assert.equal(saved.length, 0);
    await follow();
    assert.deepEqual(await follow('nss'), []);
    assert.equal(saved.at(-1)?.title.key, 'recipients.change.system');
  });
});
