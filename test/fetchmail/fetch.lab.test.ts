/** Mail that waits at a real provider arrives here: queries added on their page, fetched by the real fetchmail. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { FETCHMAIL, startFetchLab, type FetchLab } from '../support/fetch-lab.js';
import { sendMail } from '../support/smtp-client.js';
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

  const pathOf = async (name: string): Promise<string> => {
    const { html } = await at.client.get(`${FETCHMAIL}?q=${encodeURIComponent(name)}`);
    return /href="([^"]*\/fetchmail\/\d+)"/.exec(html)?.[1] ?? '';
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

  it('says in words that a password is wrong, and looks again as soon as it is right', async () => {
    await at.remote.addUser('locked', 'right');
    await at.remote.put('locked', [at.message('unlocked')]);
    await at.add({
      ...{ name: 'Locked', remoteUser: 'locked', remotePassword: 'wrong' },
      ...{ destination: 'user', users: ['bob'], interval: '3600' },
    });
    await until('the list to say so', async () => /login refused/.test(await listed('Locked')));
    const path = await pathOf('Locked');
    const right = { remotePassword: 'right' };
    await at.client.submit(path, right, { action: path, button: 'intent=save' });
    await at.lab.waitForMail('bob', 'unlocked');
  });

  it('goes on fetching while the console is down', async () => {
    const { pids } = await at.lab.facts();
    process.kill(pids.console, 'SIGSTOP');
    try {
      await at.remote.put('firma@provider.example', [at.message('without-console')]);
      await at.lab.waitForMail('alice', 'without-console');
    } finally {
      process.kill(pids.console, 'SIGCONT');
    }
  });

  it('delivers to an alias, and to an address', async () => {
    await at.client.submit(
      '/mail/aliases/new',
      { name: 'office', targets: 'carol', enabled: '1' },
      { action: '/mail/aliases/new' },
    );
    await at.remote.addUser('to-alias', 'x1');
    await at.remote.addUser('to-address', 'x2');
    await at.remote.put('to-alias', [at.message('for-alias')]);
    await at.remote.put('to-address', [at.message('for-address')]);
    const wanted = { destination: 'alias', alias: 'office' };
    await at.add({ name: 'A1', remoteUser: 'to-alias', remotePassword: 'x1', ...wanted });
    const address = { destination: 'address', address: 'dave@example.org' };
    await at.add({ name: 'A2', remoteUser: 'to-address', remotePassword: 'x2', ...address });
    await at.lab.waitForMail('carol', 'for-alias');
    await at.lab.waitForMail('dave', 'for-address');
  });

  it('shares a mailbox out by the header the provider sets, and loses nothing nobody is meant by', async () => {
    await at.remote.addUser('shared', 'secret');
    const to = (address: string): string => `X-Envelope-To: ${address}\n`;
    await at.remote.put('shared', [
      at.message('drop-bob', to('bob@example.org')),
      at.message('drop-erika', to('erika@example.org')),
      at.message('drop-nobody', to('nobody-like-that@example.org')),
      at.message('drop-foreign', to('bob@foreign.example')),
    ]);
    await at.add({
      ...{
        name: 'Shared',
        remoteUser: 'shared',
        remotePassword: 'secret',
        envelope: 'X-Envelope-To',
      },
      ...{ destination: 'multidrop', localDomains: 'example.org', users: ['juergen'] },
    });
    await at.lab.waitForMail('bob', 'drop-bob');
    await at.lab.waitForMail('erika', 'drop-erika');
    await at.lab.waitForMail('juergen', 'drop-nobody');
    await at.lab.waitForMail('juergen', 'drop-foreign');
    await until('the mailbox to be empty', async () => (await at.remote.count('shared')) === 0);
  });

  it('leaves mail with the provider while nobody is left here to get it', async () => {
    const aliases = '/mail/aliases';
    const addAlias = () =>
      at.client.submit(
        `${aliases}/new`,
        { name: 'leaving', targets: 'carol', enabled: '1' },
        { action: `${aliases}/new` },
      );
    await addAlias();
    await at.remote.addUser('left', 'secret');
    const typed = { name: 'Left', remoteUser: 'left', remotePassword: 'secret' };
    await at.add({ ...typed, destination: 'alias', alias: 'leaving' });
    const list = await at.client.get(`${aliases}?q=leaving`);
    const row = /name="row" value="([^"]+)"/.exec(list.html)?.[1] ?? '';
    const act = { action: `${aliases}/act` };
    const asked = await at.client.send(list, {}, { ...act, button: `do=ask:${row}` });
    await at.client.send(asked, {}, act);
    await at.remote.put('left', [at.message('left-alone')]);
    await until('the list to say so', async () => /refused here/.test(await listed('Left')));
    assert.equal(await at.remote.count('left'), 1);
    await addAlias();
    const [, id = ''] =
      /href="[^"]*\/fetchmail\/(\d+)"/.exec((await at.client.get(`${FETCHMAIL}?q=Left`)).html) ??
      [];
    await at.client.submit(`${FETCHMAIL}/${id}`, {}, { action: `${FETCHMAIL}/${id}/fetch` });
    await at.lab.waitForMail('carol', 'left-alone');
  });

  it('leaves no message behind for a sender or a header that is none', async () => {
    await at.remote.addUser('odd', 'secret');
    await at.remote.put('odd', [
      'From: a@x.example\nno field at all\nSubject: odd-header\n\ntext\n',
      'Return-Path: <a b@x.example>\nFrom: <a b@x.example>\nSubject: odd-blank\n\ntext\n',
      'From: müller@köln.example\nSubject: odd-umlaut\n\ntext\n',
    ]);
    const typed = { name: 'Odd', remoteUser: 'odd', remotePassword: 'secret' };
    await at.add({ ...typed, destination: 'user', users: ['bob'] });
    for (const subject of ['odd-header', 'odd-blank', 'odd-umlaut']) {
      await at.lab.waitForMail('bob', `Subject: ${subject}`);
    }
    await until('the mailbox to be empty', async () => (await at.remote.count('odd')) === 0);
  });

  it('follows local domains that are added and removed elsewhere', async () => {
    const domains = '/mail/configuration/domains';
    await at.client.submit(domains, { name: 'second.example' }, { action: domains });
    await at.remote.addUser('moving', 'secret');
    await at.add({
      ...{ name: 'Moving', remoteUser: 'moving', remotePassword: 'secret', envelope: 'X-To' },
      ...{ destination: 'multidrop', localDomains: 'second.example', users: ['juergen'] },
    });
    await at.remote.put('moving', [at.message('move-1', 'X-To: bob@second.example\n')]);
    await at.lab.waitForMail('bob', 'move-1');
    const list = await at.client.get(domains);
    const row = /value="([^"]*)"[^>]*aria-label="[^"]*second\.example/.exec(list.html)?.[1] ?? '';
    const asked = await at.client.get(`${domains}/remove?row=${encodeURIComponent(row)}`);
    await at.client.send(asked, {}, { action: `${domains}/remove` });
    await at.remote.put('moving', [at.message('move-2', 'X-To: bob@second.example\n')]);
    await at.lab.waitForMail('bob', 'move-2');
  });

  it('takes mail on its own listener for local people alone, and relays nothing', async () => {
    const ports = JSON.parse(
      await readFile(`${at.lab.root}/etc/mailserver/ports.json`, 'utf8'),
    ) as { fetchmailIn: number };
    const send = async (to: string): Promise<number> =>
      (await sendMail(ports.fetchmailIn, { from: 'x@y.example', to })).recipients[0]?.code ?? 0;
    assert.equal(await send('alice@example.org'), 250);
    for (const to of [
      'x@outside.example',
      'fetchmail-999@fetchmail.invalid',
      'x%outside.example@example.org',
    ]) {
      assert.ok((await send(to)) >= 400, to);
    }
  });

  it('takes over a fetchmail that ran here before, and fetches nothing twice and nothing beside it', async () => {
    const { root } = at.lab;
    const { pids } = await at.lab.facts();
    await at.remote.addUser('old', 'secret "x"');
    await at.remote.addUser('evil', 'secret');
    await at.remote.put('old', [at.message('old-one'), at.message('old-two')]);
    await mkdir(`${root}/run/fetchmail`, { recursive: true });
    await mkdir(`${root}/var/lib/fetchmail`, { recursive: true });
    const server = `via 127.0.0.1 proto pop3 service ${at.remote.ports.pop3}`;
    const file = `${root}/etc/fetchmailrc`;
    await writeFile(
      file,
      `set daemon 1
       poll old.example.com ${server} uidl user "old" there with password "secret \\x22x\\x22" is "carol" here
         keep sslproto "" smtphost "127.0.0.1/${at.lab.smtpPort}" smtpaddress example.org
       poll evil.example.com ${server} user "evil" pass "secret" is "carol" here sslproto "" mda "/bin/true"\n`,
      { mode: 0o600 },
    );
    const state = `${root}/var/lib/fetchmail`;
    const enter = ['-t', String(pids.inside), '-m', '--'];
    const files = ['--pidfile', `${root}/run/fetchmail/fetchmail.pid`, '-i', `${state}/.fetchids`];
    execFileSync('/usr/bin/nsenter', [...enter, '/usr/bin/fetchmail', '-f', file, ...files]);
    await at.lab.waitForMail('carol', 'old-two');

    const page = await at.client.get('/mail/takeover');
    assert.match(page.text, /A fetchmail that was set up elsewhere fetches mail here/);
    assert.match(page.text, /evil.*not taken over.*option mda runs a program/);
    assert.equal(page.html.includes('secret'), false);
    const done = await at.client.send(page, {}, { action: '/mail/takeover/fetchmail' });
    assert.equal(done.status, 200, done.text);
    assert.match(done.text, /old\.example\.com/);
    assert.doesNotMatch(done.text, /evil/);

    assert.equal(existsSync(file), false);
    assert.equal(existsSync(`${file}.taken-over`), true);
    const pid = (
      await readFile(`${root}/run/fetchmail/fetchmail.pid`, 'utf8').catch(() => '')
    ).trim();
    assert.equal(pid, '', 'the old one is gone');
    await at.remote.put('old', [at.message('new-one')]);
    await at.lab.waitForMail('carol', 'new-one');
    const mails = await at.lab.mailbox('carol');
    for (const subject of ['old-one', 'old-two', 'new-one']) {
      assert.equal(
        mails.filter((mail) => mail.includes(`Subject: ${subject}\n`)).length,
        1,
        subject,
      );
    }
    assert.equal(await at.remote.count('old'), 3);
    assert.doesNotMatch((await at.client.get('/mail/takeover')).text, /fetches mail here/);
  });

  const secure: readonly (readonly [name: string, typed: Record<string, string>, says: RegExp])[] =
    [
      ['implicit TLS', { protocol: 'imap', ssl: 'tls', server: 'good.fetch.test' }, /let us in/],
      ['implicit TLS', { protocol: 'pop3', ssl: 'tls', server: 'good.fetch.test' }, /let us in/],
      ['STARTTLS', { protocol: 'imap', ssl: 'starttls', server: 'good.fetch.test' }, /let us in/],
      ['STARTTLS', { protocol: 'pop3', ssl: 'starttls', server: 'good.fetch.test' }, /let us in/],
      [
        'a self-signed certificate',
        { ssl: 'tls', server: 'self.fetch.test' },
        /certificate not trusted/,
      ],
      [
        'an expired certificate',
        { ssl: 'tls', server: 'expired.fetch.test' },
        /certificate not trusted/,
      ],
      [
        'a certificate of another name',
        { ssl: 'tls', server: 'wrong.fetch.test' },
        /certificate of another name/,
      ],
      [
        'an unchecked one',
        { ssl: 'tls', server: 'self.fetch.test', certificate: 'none' },
        /let us in/,
      ],
      [
        'a wrong password',
        { ssl: 'tls', server: 'good.fetch.test', remotePassword: 'wrong' },
        /login refused/,
      ],
      ['an unknown server', { ssl: 'tls', server: 'nowhere.fetch.test' }, /server unknown/],
      ['a closed port', { ssl: 'tls', server: 'good.fetch.test', port: '9' }, /not reachable/],
      [
        'TLS where none is',
        { ssl: 'tls', server: 'good.fetch.test', port: 'plain' },
        /no encryption/,
      ],
    ];
  for (const [name, typed, says] of secure) {
    it(`tests ${name} (${typed['protocol'] ?? 'imap'}) and says so, fetching nothing`, async () => {
      await at.remote.addUser('tested', 'secret');
      const { imap, imaps, pop3, pop3s } = at.remote.ports;
      const usual = typed['protocol'] === 'pop3' ? [pop3, pop3s] : [imap, imaps];
      const port = typed['ssl'] === 'tls' && typed['port'] !== 'plain' ? usual[1] : usual[0];
      const page = await at.client.submit(
        `${FETCHMAIL}/new`,
        {
          ...{ name: 'Tested', sameServer: null, remoteUser: 'tested', remotePassword: 'secret' },
          ...{ certificate: 'check', destination: 'user', users: ['bob'], timeout: '10' },
          ...typed,
          port: typed['port'] === '9' ? '9' : String(port),
        },
        { action: `${FETCHMAIL}/new`, button: 'intent=test' },
      );
      const { pathname, search } = new URL(page.url);
      await until(`the page to say ${String(says)}`, async () =>
        says.test((await at.client.get(pathname + search)).text),
      );
    });
  }
});
