/** A machine whose database is lost: mail goes by what is in force there, and the first save must not end that. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startLab, type Lab } from '../support/lab.js';

const ADD = '/mail/aliases/new';
const DOMAINS = '/mail/configuration/domains';
const QUERIES = '/mail/fetchmail/new';
const EXCEPTIONS = '/mail/security/exceptions/new';
const FRIEND = 'friend@good.example';

describe('what is in force while the database is lost', () => {
  let root: string;
  let lab: Lab;

  const save = async (path: string, typed: Record<string, string | null>): Promise<void> => {
    const client = await lab.signIn();
    const { status } = await client.submit(path, typed, { action: path, button: 'intent=save' });
    assert.equal(status, 200);
  };
  const addQuery = (name: string, server: string): Promise<void> =>
    save(QUERIES, {
      ...{ name, sameServer: null, server, enabled: null },
      ...{ remoteUser: 'office', remotePassword: `of ${name}`, users: 'alice' },
    });
  const runControls = async (): Promise<string[]> => {
    const folder = `${root}/etc/mailserver/fetchmail`;
    const files = (await readdir(folder)).filter((file) => file.endsWith('.rc')).sort();
    return Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  };

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'mailserver-lost-'));
    lab = await startLab({ root });
    const client = await lab.signIn();
    await client.submit(DOMAINS, { name: 'example.org' }, { action: DOMAINS });
    for (const name of ['office', 'sales@example.org', 'info']) {
      await client.submit(ADD, { name, targets: 'alice', enabled: '1' }, { action: ADD });
    }
    await addQuery('first', 'imap.first.example');
    await addQuery('second', 'imap.second.example');
    await client.submit('/mail/fetchmail/1/delete', {}, { action: '/mail/fetchmail/act' });
    await save(EXCEPTIONS, { value: FRIEND });
    const { database } = await lab.facts();
    await lab.stop();
    await rm(database, { recursive: true });
    lab = await startLab({ root });
  });
  after(async () => {
    await lab.stop();
    await rm(root, { recursive: true });
  });

  const isTaken = async (name: string): Promise<boolean> => {
    const to = `${name}@example.org`;
    const { recipients } = await lab.sendMail({ from: 'x@example.net', to, subject: name });
    return recipients[0]?.code === 250;
  };

  it('stays in force with the first save, and is on its pages and in the history', async () => {
    const client = await lab.signIn();
    const before = await runControls();
    assert.equal(before.length, 1);
    await client.submit(ADD, { name: 'later', targets: 'bob', enabled: '1' }, { action: ADD });
    for (const name of ['office', 'sales', 'info', 'later']) {
      assert.equal(await isTaken(name), true, name);
    }
    const list = (await client.get('/mail/aliases')).text;
    for (const name of ['office', 'sales@example.org', 'info', 'later']) {
      assert.ok(list.includes(name), name);
    }
    assert.deepEqual(await runControls(), before);
    assert.ok((await client.get('/mail/fetchmail')).text.includes('imap.second.example'));
    assert.ok((await client.get('/mail/security/exceptions')).text.includes(FRIEND));
    const history = (await client.get('/mail/history')).text;
    assert.match(history, /3 aliases of this machine taken over/);
    assert.match(history, /One query of this machine taken over/);
    assert.match(history, /One exception of this machine taken over/);
  });

  it('makes room for new queries, under numbers that nobody had', async () => {
    const before = await runControls();
    await addQuery('third', 'imap.third.example');
    const after = await runControls();
    assert.deepEqual(after.slice(0, -1), before);
    assert.ok(after.at(-1)?.includes('"query-3"') || after.at(-1)?.includes('query\\x2d3'));
  });
});
