/** Exceptions on the real Postfix: a blocked stranger gets in, everybody else's mail goes on, and no relay opens. */
import assert from 'node:assert/strict';
import { readFile, utimes } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { Saver } from '../support/saver.js';
import { SmtpClient, type Reply } from '../support/smtp-client.js';
import { until } from '../support/wait.js';

const LOCAL = 'alice@localhost';
const OUTSIDE = 'somebody@outside.example';
/** Somebody's own rule, which refuses all strangers from two networks. */
const BLOCKED = 'check_client_access cidr:{{198.51.100.0/24 REJECT}, {2001:db8::/32 REJECT}}';

describe('exceptions', () => {
  let root: PostfixRoot;
  let saver: Saver;

  before(async () => {
    root = await startPostfixRoot({ started: false });
    saver = new Saver(root.helper);
    await byHand(
      'smtpd_authorized_xclient_hosts=127.0.0.1',
      'inet_protocols=all',
      `smtpd_client_restrictions=${BLOCKED}`,
    );
    assert.equal((await root.postfix('start')).code, 0);
  });
  after(() => root.stop());

  async function byHand(...settings: string[]): Promise<void> {
    const { configDir } = root.places;
    const answer = await root.run('/usr/sbin/postconf', ['-c', configDir, '-e', ...settings]);
    assert.equal(answer.code, 0, answer.stderr);
    const then = Date.now() / 1000 - 60;
    await utimes(`${configDir}/main.cf`, then, then);
  }

  const save = (...values: string[]) => saver.save({ exceptions: { values } });

  async function from(
    address: string,
    { sender = 'sender@elsewhere.example', recipient = LOCAL, body = '' } = {},
  ): Promise<Reply> {
    const [client] = await SmtpClient.open(root.smtpPort);
    try {
      const literal = address.includes(':') ? `IPV6:${address}` : address;
      await client.command(`XCLIENT ADDR=${literal} NAME=client.example`);
      await client.command('EHLO client.example');
      const mail = await client.command(`MAIL FROM:<${sender}>`);
      if (mail.code !== 250) return mail;
      const reply = await client.command(`RCPT TO:<${recipient}>`);
      if (reply.code !== 250 || body === '') return reply;
      await client.command('DATA');
      return await client.message(`Subject: hello\n\n${body}\n`);
    } finally {
      client.close();
    }
  }

  it('are not needed by anybody while there are none', async () => {
    assert.equal((await from('198.51.100.7')).code, 554);
    assert.equal((await from('2001:db8::7')).code, 554);
    assert.equal((await from('192.0.2.7')).code, 250);
  });

  const kinds: readonly (readonly [
    value: string,
    let_in: Parameters<typeof from>,
    not: Parameters<typeof from>,
  ])[] = [
    ['198.51.100.7', ['198.51.100.7'], ['198.51.100.8']],
    ['198.51.100.32/27', ['198.51.100.40'], ['198.51.100.8']],
    ['2001:db8::7', ['2001:db8::7'], ['2001:db8::8']],
    ['2001:db8:5::/48', ['2001:db8:5::9'], ['2001:db8:6::9']],
    [
      'partner.example',
      ['198.51.100.8', { sender: 'x@mail.partner.example' }],
      ['198.51.100.8', { sender: 'x@otherpartner.example' }],
    ],
    [
      'anna@some.example',
      ['198.51.100.8', { sender: 'Anna@some.example' }],
      ['198.51.100.8', { sender: 'bob@some.example' }],
    ],
  ];
  for (const [value, letIn, not] of kinds) {
    it(`${value} lets in whom it names, and nobody else`, async () => {
      await save(value);
      assert.equal((await from(...letIn)).code, 250);
      assert.equal((await from(...not)).code, 554);
    });
  }

  it('for a domain break nobody’s mail: theirs arrives, everybody else’s too', async () => {
    const result = await save('partner.example', '198.51.100.7', '198.51.100.32/27');
    assert.ok(result.proof.every(({ ok }) => ok));
    const theirs = { sender: 'x@partner.example', body: 'From the partner' };
    assert.equal((await from('198.51.100.8', theirs)).code, 250);
    assert.equal((await from('192.0.2.8', { body: 'From another' })).code, 250);
    assert.equal((await from('192.0.2.8', { recipient: 'nobody-here@localhost' })).code, 550);
    await until('both mails are in the mailbox', async () => {
      const box = await readFile(`${root.places.mailboxes}/alice`, 'utf8').catch(() => '');
      return /From the partner/.test(box) && /From another/.test(box);
    });
  });

  it('open no relay, whoever pretends to be excepted', async () => {
    const asked = [
      from('198.51.100.7', { recipient: OUTSIDE }),
      from('198.51.100.40', { recipient: OUTSIDE }),
      from('192.0.2.8', { recipient: OUTSIDE, sender: 'x@partner.example' }),
    ];
    for (const { code, text } of await Promise.all(asked)) {
      assert.ok(code >= 400, text);
      assert.match(text, /Relay access denied/);
    }
  });

  it('open no relay where its protection stands among the recipient restrictions', async () => {
    await byHand(
      'smtpd_relay_restrictions=',
      'smtpd_recipient_restrictions=permit_mynetworks, reject_unauth_destination, mailserver_exceptions',
    );
    await root.reload();
    await save('partner.example');
    const { text, code } = await from('192.0.2.8', {
      recipient: OUTSIDE,
      sender: 'x@partner.example',
    });
    assert.ok(code >= 500, text);
    assert.equal((await from('198.51.100.8', { sender: 'x@partner.example' })).code, 250);
  });

  it('are refused by the helper when they are no exceptions', async () => {
    for (const value of ['0.0.0.0/0', 'com', '192.0.2.7/24', 'a b', 'x.example OK', '127.0.0.1']) {
      await assert.rejects(
        save(value),
        (error) => error instanceof HelperError && error.stage === 'validate',
        value,
      );
    }
  });

  it('go with all they brought', async () => {
    await save();
    assert.equal((await from('198.51.100.8', { sender: 'x@partner.example' })).code, 554);
    const main = await readFile(`${root.places.configDir}/main.cf`, 'utf8');
    assert.doesNotMatch(main, /mailserver_exceptions/);
  });
});
