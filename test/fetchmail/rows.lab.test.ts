/** One query among others crosses to the real helper alone; what stands there afterwards is what all of them together make. */
import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { readDatabaseId } from '../../lib/changes/store.js';
import { createChanges, type Changes } from '../../lib/changes/service.js';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { HelperError } from '../../lib/errors.js';
import { bindingOf } from '../../lib/fetchmail/security.js';
import { FETCH_FOLDER } from '../../lib/fetchmail/section.js';
import { fetchmailSource } from '../../lib/fetchmail/source.js';
import {
  insertQuery,
  readQueries,
  removeQuery,
  updateQuery,
  type StoredQuery,
} from '../../lib/fetchmail/store.js';
import type { ApplyParams } from '../../lib/privileged/protocol.js';
import { seal } from '../../lib/secrets/seal.js';
import { silentLog } from '../support/log.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { someQuery } from '../support/queries.js';

type Write = Parameters<Changes['save']>[0]['write'];

describe('one query among others', () => {
  let root: PostfixRoot;
  let database: MemoryDatabase;
  let changes: Changes;
  let publicKey: string;
  let folder: string;
  const asked: ApplyParams[] = [];
  before(async () => {
    [root, database] = await Promise.all([startPostfixRoot(), openMemoryDatabase()]);
    await migrateMail(database.db);
    folder = root.places.root + FETCH_FOLDER;
    ({ publicKey } = await root.helper.call('describe', {}, { actor: 'test' }));
    const helper: typeof root.transport = {
      request: (action, params, options) => {
        if (action === 'apply') asked.push(params as unknown as ApplyParams);
        return root.transport.request(action, params, options);
      },
    };
    changes = createChanges({
      ...{ db: database.db, helper, sources: [fetchmailSource], log: silentLog },
    });
    await save(async (trx) => [
      ...(await insertQuery(trx, query('one'), 'anna')),
      ...(await insertQuery(trx, query('two'), 'anna')),
      ...(await insertQuery(trx, query('three'), 'anna')),
    ]);
  });
  after(async () => {
    await changes.close();
    await database.close();
    await root.stop();
  });

  const query = (user: string) => {
    const plain = someQuery({ remoteUser: user });
    return { ...plain, remotePassword: seal(publicKey, `secretOf${user}`, bindingOf(plain)) };
  };
  const save = (write: Write) => {
    const title = { key: 'fetchmail.title', values: {} };
    return changes.save({ sections: ['fetchmail'], title, actor: 'anna', write });
  };
  const stored = async (user: string): Promise<StoredQuery> => {
    const found = (await readQueries(database.db)).find((one) => one.remoteUser === user);
    return found ?? assert.fail(`no query of ${user}`);
  };
  const fileOf = async (user: string): Promise<string> => `${folder}/${(await stored(user)).id}.rc`;

  /** The last save sent the rows that changed and no others, and all of them sent together change nothing. */
  async function crossed(set: readonly string[], gone: readonly string[] = []): Promise<void> {
    const { sections, rows } = asked.at(-1) ?? {};
    assert.deepEqual(sections, {});
    const sent = rows?.['fetchmail']?.set as readonly { readonly remoteUser: string }[];
    assert.deepEqual(
      sent.map(({ remoteUser }) => remoteUser),
      set,
    );
    assert.deepEqual(rows?.['fetchmail']?.gone, gone);
    const whole = {
      ...{ databaseId: await readDatabaseId(database.db), change: 0, dryRun: true },
      sections: { fetchmail: await fetchmailSource.collect(database.db) },
    };
    const { status } = await root.helper.call('apply', whole, { actor: 'test' });
    assert.equal(status, 'unchanged');
    const queries = (await readQueries(database.db)).map(({ id }) => `${id}.rc`);
    const there = (await readdir(folder)).filter((name) => name.endsWith('.rc'));
    assert.deepEqual(there.sort(), queries.sort());
  }

  it('is written anew when it changes, and the others stay as they are', async () => {
    const files = [await fileOf('one'), await fileOf('two')];
    const before = await Promise.all(files.map((file) => readFile(file, 'utf8')));
    const two = await stored('two');
    const { result } = await save((trx) => updateQuery(trx, two, { timeout: 77 }, 'anna'));
    assert.deepEqual(result?.proof, [], 'Postfix has no part in it');
    await crossed(['two']);
    const after = await Promise.all(files.map((file) => readFile(file, 'utf8')));
    assert.equal(after[0], before[0]);
    assert.match(after[1] ?? '', /\b77\b/);
    assert.match(after[1] ?? '', /"secretOftwo"/);
  });

  it('comes, changes back, and goes', async () => {
    const { result } = await save((trx) => insertQuery(trx, query('four'), 'anna'));
    assert.ok(
      result?.proof.some(({ key, ok }) => key === 'proof.banner' && ok),
      'a table changed',
    );
    await crossed(['four']);
    const file = await fileOf('four');
    const first = await readFile(file, 'utf8');
    assert.match(first, /"secretOffour"/);
    const four = await stored('four');
    const changed = await save((trx) => updateQuery(trx, four, { timeout: 44 }, 'anna'));
    assert.notEqual(await readFile(file, 'utf8'), first);
    await changes.save(changes.undo([changed], { actor: 'anna' }));
    await crossed(['four']);
    assert.equal(await readFile(file, 'utf8'), first);
    const again = await stored('four');
    await save((trx) => removeQuery(trx, again));
    await crossed([], [four.id]);
  });

  it('is not saved over a hand edit of another one', async () => {
    const file = await fileOf('one');
    const ours = await readFile(file, 'utf8');
    await appendFile(file, '# by hand\n');
    const two = await stored('two');
    const again = () => save((trx) => updateQuery(trx, two, { timeout: 78 }, 'anna'));
    await assert.rejects(
      again(),
      (error) => error instanceof HelperError && error.key === 'helper.drift.edited',
    );
    assert.match(await readFile(file, 'utf8'), /by hand/);
    await writeFile(file, ours);
    await again();
    await crossed(['two']);
  });
});
