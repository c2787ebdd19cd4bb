/** Mail that waits at a real provider arrives here: queries added on their page, fetched by the real fetchmail. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { FETCHMAIL, startFetchLab, type FetchLab } from '../support/fetch-lab.js';
import { until } from '../support/wait.js';

/** What makes trouble as a keyword, a quote, an escape or on the wire. */
const PASSWORD = ' with "pa\\ss" #ä€ \\x41 {5} ';

describe('fetching mail from other providers', () => {
  let at: FetchLab;
  before(async () => {
    at = await startFetchLab();
  });
  after(() => at.stop());

  const listed = async (name: string): Promise<string> => {
    const page = await at.client.get(`${FETCHMAIL}?q=${encodeURIComponent(name)}`);
    return page.text;
  };

  it('delivers to several people what waits in a mailbox, and takes it out there', async () => {
    await at.remote.addUser('firma@provider.example', PASSWORD);
    await at.remote.put('firma@provider.example', [at.message('imap-one'), at.message('imap-two')]);
    const page = await at.add({
      ...{ name: 'Provider', remoteUser: 'firma@provider.example', remotePassword: PASSWORD },
      ...{ destination: 'user', users: ['alice', 'erika'] },
    });
    assert.equal(page.status, 200, page.text);
    for (const user of ['alice', 'erika']) {
      await at.lab.waitForMail(user, 'imap-one');
      await at.lab.waitForMail(user, 'imap-two');
    }
    await until(
      'the mailbox to be empty',
      async () => (await at.remote.count('firma@provider.example')) === 0,
    );
    await until('the list to say so', async () =>
      /2 messages fetched|no new mail/.test(await listed('Provider')),
    );
  });

  it('leaves messages with a POP3 provider that are to stay, and fetches none of them twice', async () => {
    await at.remote.addUser('pop', 'secret');
    await at.remote.put('pop', [at.message('pop-one')]);
    await at.add({
      ...{ name: 'Pop', protocol: 'pop3', port: String(at.remote.ports.pop3), keep: '1' },
      ...{ remoteUser: 'pop', remotePassword: 'secret', destination: 'user', users: ['bob'] },
    });
    await at.lab.waitForMail('bob', 'pop-one');
    await at.remote.put('pop', [at.message('pop-two')]);
    await at.lab.waitForMail('bob', 'pop-two');
    assert.equal((await at.lab.mailbox('bob')).length, 2);
    assert.equal(await at.remote.count('pop'), 2);
  });

  it('says in words that a password is wrong', async () => {
    await at.remote.addUser('locked', 'right');
    await at.add({
      ...{ name: 'Locked', remoteUser: 'locked', remotePassword: 'wrong' },
      ...{ destination: 'user', users: ['bob'] },
    });
    await until('the list to say so', async () => /login refused/.test(await listed('Locked')));
  });
});
