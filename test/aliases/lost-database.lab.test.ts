/** A machine whose database is lost: mail goes by the aliases that are in force, and the first save must not end that. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startLab, type Lab } from '../support/lab.js';

const ADD = '/mail/aliases/new';
const DOMAINS = '/mail/configuration/domains';

describe('aliases whose database is lost', () => {
  let root: string;
  let lab: Lab;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'mailserver-lost-'));
    lab = await startLab({ root });
    const client = await lab.signIn();
    await client.submit(DOMAINS, { name: 'example.org' }, { action: DOMAINS });
    for (const name of ['office', 'sales@example.org', 'info']) {
      await client.submit(ADD, { name, targets: 'alice', enabled: '1' }, { action: ADD });
    }
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

  it('stay in force with the first save of another one, and are on its list and in its history', async () => {
    const client = await lab.signIn();
    await client.submit(ADD, { name: 'later', targets: 'bob', enabled: '1' }, { action: ADD });
    for (const name of ['office', 'sales', 'info', 'later']) {
      assert.equal(await isTaken(name), true, name);
    }
    const list = (await client.get('/mail/aliases')).text;
    for (const name of ['office', 'sales@example.org', 'info', 'later']) {
      assert.ok(list.includes(name), name);
    }
    assert.match((await client.get('/mail/history')).text, /3 aliases of this machine taken over/);
  });
});
