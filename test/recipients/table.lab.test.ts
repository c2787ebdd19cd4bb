/** A console with a directory of its own: Postfix knows its users, who are none of the system, through a table. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import request from 'supertest';
import type { Directory, DirectoryUser } from '../../lib/contract.js';
import { createDummyHost, type DummyHost } from '../support/dummy-host.js';
import { startDovecot, type Dovecot } from '../support/dovecot.js';
import { formFields, textOf } from '../support/forms.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { sendMail } from '../support/smtp-client.js';
import { until } from '../support/wait.js';

const BASE = '/mail/configuration/base';
const DOMAINS = '/mail/configuration/domains';
const ALIASES = '/mail/aliases/new';

function user(login: string, ...addresses: string[]): DirectoryUser {
  const rest = { system: false, locked: false, groups: [] };
  return { id: login, login, name: login, addresses, hasMailbox: true, ...rest };
}

describe('a directory of the console’s own', () => {
  let root: PostfixRoot;
  let dovecot: Dovecot;
  let database: MemoryDatabase;
  let host: DummyHost;
  let users = [user('zoe', 'zoe.last@example.org'), user('ben')];
  let changed: () => void = () => undefined;

  const directory: Directory = {
    kind: 'table',
    users: () => Promise.resolve(users),
    groups: () => Promise.resolve([]),
    onChange: (listener) => {
      changed = listener;
      return () => undefined;
    },
  };

  before(async () => {
    root = await startPostfixRoot();
    dovecot = await startDovecot(root);
    database = await openMemoryDatabase();
    host = createDummyHost({ db: database.db, helper: root.transport, directory });
    await host.plugin.start();
    await save(DOMAINS, { name: 'example.org' }, DOMAINS);
    await save(BASE, { delivery: 'lmtp', lmtpHost: '127.0.0.1', lmtpPort: String(dovecot.port) });
    await until('the table', async () => (await known('zoe')) === 'zoe');
  });
  after(async () => {
    await host.plugin.close();
    await database.close();
    await dovecot.stop();
    await root.stop();
  });

  async function save(path: string, fields: Record<string, string>, action = path): Promise<void> {
    const page = await request(host.app).get(path).expect(200);
    const shown = formFields(page.text);
    const answer = await request(host.app)
      .post(action)
      .type('form')
      .send({ ...shown, intent: 'save', ...fields });
    assert.equal(answer.status, 303, `${path}: ${textOf(answer.text)}`);
  }

  async function known(name: string): Promise<string> {
    const table = `lmdb:${root.places.configDir}/mailserver.d/recipients`;
    return (await root.run('/usr/sbin/postmap', ['-q', name, table])).stdout.trim();
  }

  async function refused(to: string): Promise<boolean> {
    const { recipients } = await sendMail(root.smtpPort, { from: 'x@example.net', to });
    return (recipients[0]?.code ?? 0) === 550;
  }

  /** Sends a mail that must be taken, and waits until it lies with somebody. */
  async function arrives(to: string, login: string): Promise<void> {
    const subject = `to ${to} ${Math.random()}`;
    const answer = await sendMail(root.smtpPort, { from: 'x@example.net', to, subject });
    assert.equal(answer.data?.code, 250, `${to}: ${answer.recipients[0]?.text ?? ''}`);
    await until(subject, async () =>
      (await dovecot.messages(login)).some((message) => message.includes(subject)),
    );
  }

  it('is known to Postfix by login and address, and nobody else is', async () => {
    await arrives('zoe@example.org', 'zoe');
    await arrives('zoe.last@example.org', 'zoe.last');
    assert.equal(await refused('nobody@example.org'), true);
    assert.equal(await refused('zoe.last@localhost'), true);
    // A user of the system that the directory does not name.
    assert.equal(await refused('alice@example.org'), true);
  });

  it('keeps its mail when a catch-all takes that of unknown recipients', async () => {
    await save(ALIASES, { name: '@example.org', targets: 'ben', enabled: '1' }, ALIASES);
    await arrives('zoe@example.org', 'zoe');
    await arrives('zoe.last@example.org', 'zoe.last');
    await arrives('nobody@example.org', 'ben');
  });

  it('is followed when somebody comes or goes, as a change in the history', async () => {
    users = [user('zoe', 'zoe.last@example.org'), user('ida')];
    changed();
    await until('ida', async () => (await known('ida')) === 'ida' && (await known('ben')) === '');
    await arrives('ida@example.org', 'ida');
    const history = await request(host.app).get('/mail/history').expect(200);
    assert.match(history.text, /made known to Postfix/);
  });

  it('keeps its mail when that of unknown recipients goes to the mail admin', async () => {
    await save(BASE, { unknownRecipient: 'admin' });
    await arrives('zoe@example.org', 'zoe');
    await arrives('zoe.last@example.org', 'zoe.last');
    const look = await request(host.app).get('/mail/route?address=zoe@example.org').expect(200);
    assert.match(look.text, /lmtp/);
  });
});
