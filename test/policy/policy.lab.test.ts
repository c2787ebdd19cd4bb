/** What is asked about strangers, by the real postgrey, policyd-spf and the service for block lists, beside a real Postfix. */
import assert from 'node:assert/strict';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { HelperError } from '../../lib/errors.js';
import { labProcesses, identifyLab } from '../../lib/lab/processes.js';
import type { ListReport } from '../../lib/block-lists/judge.js';
import { nameOf } from '../../lib/block-lists/names.js';
import { NO_POLICY, type PolicySettings } from '../../lib/policy/schema.js';
import { startDnsServer, type Zone } from '../support/dns-server.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { Saver } from '../support/saver.js';
import { SmtpClient, type Reply } from '../support/smtp-client.js';
import { until } from '../support/wait.js';

const LOCAL = 'alice@localhost';
const DELAY_SECONDS = 5;
const GREYLISTED = /Greylisted/;

/** What every list must have and must not have (RFC 5782). */
const working = (zone: string): Zone => ({
  [nameOf('127.0.0.2', zone)]: { a: ['127.0.0.2'] },
  [nameOf('::ffff:7f00:2', zone)]: { a: ['127.0.0.2'] },
});

describe('policy', () => {
  let root: PostfixRoot;
  let saver: Saver;
  let zone: Zone = {};
  let endDns: () => void;

  before(async () => {
    root = await startPostfixRoot({ started: false });
    saver = new Saver(root.helper);
    // An address of loopback that no other test has.
    const address = `127.77.${process.pid >> 8 && (process.pid >> 8) % 250}.${(process.pid % 250) + 1}`;
    endDns = await startDnsServer(address, () => zone);
    const resolver = `nameserver ${address}\noptions timeout:1 attempts:1\n`;
    await writeFile(`${root.places.root}/etc/resolv.conf`, resolver);
    await byHand('smtpd_authorized_xclient_hosts=127.0.0.1', 'inet_protocols=all');
    const started = await root.postfix('start');
    assert.equal(started.code, 0, started.stderr);
  });
  after(async () => {
    await root.stop();
    endDns();
  });

  async function byHand(...settings: string[]): Promise<void> {
    const { configDir } = root.places;
    const answer = await root.run('/usr/sbin/postconf', ['-c', configDir, '-e', ...settings]);
    assert.equal(answer.code, 0, answer.stderr);
    const then = Date.now() / 1000 - 60;
    await utimes(`${configDir}/main.cf`, then, then);
  }

  const save = (settings: Partial<PolicySettings>) =>
    saver.save({ policy: { ...NO_POLICY, ...settings } });
  const log = () => readFile(root.places.mailLog, 'utf8');

  /** What the server says to somebody from elsewhere: to the first thing it refuses, or at the end. */
  async function from(
    address: string,
    { sender = 'sender@elsewhere.example', recipient: to = LOCAL, body = '' } = {},
  ): Promise<Reply> {
    const [client, greeting] = await SmtpClient.open(root.smtpPort);
    try {
      assert.equal(greeting.code, 220);
      const literal = address.includes(':') ? `IPV6:${address}` : address;
      const taken = await client.command(`XCLIENT ADDR=${literal} NAME=client.example`);
      assert.equal(taken.code, 220, taken.text);
      await client.command(`EHLO client.example`);
      const mail = await client.command(`MAIL FROM:<${sender}>`);
      if (mail.code !== 250) return mail;
      const recipient = await client.command(`RCPT TO:<${to}>`);
      if (recipient.code !== 250 || body === '') return recipient;
      await client.command('DATA');
      return await client.message(`Subject: hello\n\n${body}\n`);
    } finally {
      client.close();
    }
  }

  describe('greylisting', () => {
    before(() => save({ greylisting: true, greylistDelay: DELAY_SECONDS, greylistAutoAllow: 1 }));

    it('asks a stranger to come again, and takes the mail when they do', async () => {
      const first = await from('198.51.100.20');
      assert.equal(first.code, 450, first.text);
      assert.match(first.text, GREYLISTED);
      const second = await from('198.51.100.20');
      assert.equal(second.code, 450, 'too early');
      const third = await until('the delay is over', async () => {
        const reply = await from('198.51.100.20', { body: 'Hello' });
        return reply.code === 450 ? null : reply;
      });
      assert.equal(third.code, 250, third.text);
      await until('the mail is in the mailbox', async () =>
        /Hello/.test(await readFile(`${root.places.mailboxes}/alice`, 'utf8').catch(() => '')),
      );
    });

    it('lets a client in at once that has come back before, whoever writes', async () => {
      const reply = await from('198.51.100.20', { sender: 'new@elsewhere.example' });
      assert.equal(reply.code, 250, reply.text);
    });

    it('takes the neighbours of a client for the same, and IPv6 clients for others', async () => {
      assert.equal((await from('198.51.100.21')).code, 250);
      assert.equal((await from('2001:db8::20')).code, 450);
      assert.equal((await from('2001:db8:0:1::20')).code, 450);
    });

    it('is not asked about mail to people who do not exist', async () => {
      const reply = await from('198.51.100.25', { recipient: 'nobody-here@localhost' });
      assert.equal(reply.code, 550, reply.text);
    });

    it('asks nothing of this machine, and notes nothing of the stranger of a proof', async () => {
      const [client] = await SmtpClient.open(root.smtpPort);
      await client.command('EHLO here');
      await client.command('MAIL FROM:<bob@localhost>');
      assert.equal((await client.command(`RCPT TO:<${LOCAL}>`)).code, 250);
      client.close();
      const folder = `${root.places.root}/var/lib/postgrey`;
      const names = (await readdir(folder)).filter((name) => !name.startsWith('__'));
      const known = (
        await Promise.all(names.map((name) => readFile(`${folder}/${name}`, 'latin1')))
      ).join('');
      assert.ok(known.includes('198.51.100'), 'strangers are noted');
      assert.ok(!known.includes('203.0.113'), 'the one of a proof is not');
      assert.ok(!known.includes('127.0.0'), 'nor is this machine');
    });

    it('says who was asked in the proof', async () => {
      const result = await save({ greylisting: true, greylistDelay: 30 });
      const keys = result.proof.filter(({ ok }) => ok).map(({ key }) => key);
      assert.ok(keys.includes('proof.policy'), keys.join());
      assert.ok(keys.includes('proof.letIn'), keys.join());
    });

    const killPostgrey = async (): Promise<void> => {
      const ids = await labProcesses(await identifyLab(root.places));
      for (const id of ids) {
        const command = await readFile(`/proc/${id}/cmdline`, 'latin1').catch(() => '');
        if (/postgrey/.test(command)) process.kill(id, 'SIGKILL');
      }
    };

    it('lets mail pass while the policy server is dead, and says so', async () => {
      await killPostgrey();
      assert.equal((await from('198.51.100.40')).code, 250);
      const { servers } = await root.helper.call('policy-status', {}, { actor: 'test' });
      assert.deepEqual(
        servers.map(({ name, answers }) => [name, answers]),
        [['postgrey', false]],
      );
    });

    it('starts it again', async () => {
      const { servers } = await root.helper.call('policy-start', {}, { actor: 'test' });
      assert.ok(servers.every(({ answers }) => answers));
      assert.equal((await from('198.51.100.41')).code, 450);
    });

    it('starts it again for a save of something else, which would not be proved without it', async () => {
      await killPostgrey();
      const { status } = await save({ greylisting: true, greylistDelay: 30, helo: true });
      assert.equal(status, 'applied');
      assert.equal((await from('198.51.100.42')).code, 450);
    });

    it('is gone without a trace when it is switched off', async () => {
      await save({});
      const main = await readFile(`${root.places.configDir}/main.cf`, 'utf8');
      assert.doesNotMatch(main, /mailserver_policy|smtpd_relay_before/);
      assert.equal((await from('198.51.100.50')).code, 250);
    });
  });

  describe('SPF', () => {
    before(() => {
      zone = {
        'strict.example': { txt: ['v=spf1 ip4:198.51.100.1 -all'] },
        'soft.example': { txt: ['v=spf1 ip4:198.51.100.1 ~all'] },
        'broken.example': { silent: true },
      };
      return save({ spf: 'refuse' });
    });

    it('refuses a sender whose domain says that this client may not', async () => {
      const reply = await from('198.51.100.60', { sender: 'x@strict.example' });
      assert.equal(reply.code, 550, reply.text);
      assert.match(reply.text, /SPF/);
    });

    it('takes what the domain allows, is not sure of, or cannot be asked about', async () => {
      assert.equal((await from('198.51.100.1', { sender: 'x@strict.example' })).code, 250);
      assert.equal((await from('198.51.100.61', { sender: 'x@soft.example' })).code, 250);
      assert.equal((await from('198.51.100.62', { sender: 'x@broken.example' })).code, 250);
    });

    it('only marks, when that was chosen', async () => {
      await save({ spf: 'mark' });
      const reply = await from('198.51.100.63', { sender: 'x@strict.example', body: 'Marked' });
      assert.equal(reply.code, 250, reply.text);
      const mail = await until('the mail is in the mailbox', async () => {
        const box = await readFile(`${root.places.mailboxes}/alice`, 'utf8').catch(() => '');
        return /Marked/.test(box) ? box : null;
      });
      assert.match(mail, /^Received-SPF: Fail/m);
    });
  });

  describe('block lists', () => {
    const lists = [
      { zone: 'one.bl.example', weight: 2, enabled: true },
      { zone: 'two.bl.example', weight: 1, enabled: true },
      { zone: 'all.bl.example', weight: 10, enabled: true },
      { zone: 'dead.bl.example', weight: 10, enabled: true },
      { zone: 'mute.bl.example', weight: 10, enabled: true },
      { zone: 'shut.bl.example', weight: 10, enabled: true },
    ];
    const states = async (): Promise<Record<string, string>> => {
      const { lists } = await root.helper.call('policy-status', {}, { actor: 'test' });
      return Object.fromEntries(lists.map(({ zone, state }: ListReport) => [zone, state]));
    };

    before(async () => {
      zone = {
        ...working('one.bl.example'),
        ...working('two.bl.example'),
        [nameOf('198.51.100.70', 'one.bl.example')]: { a: ['127.0.0.4'] },
        [nameOf('198.51.100.71', 'one.bl.example')]: { a: ['127.0.0.4'] },
        [nameOf('198.51.100.71', 'two.bl.example')]: { a: ['127.0.0.2'] },
        [nameOf('198.51.100.72', 'one.bl.example')]: { a: ['127.255.255.254'] },
        [nameOf('2001:db8::71', 'one.bl.example')]: { a: ['127.0.0.4'] },
        [nameOf('2001:db8::71', 'two.bl.example')]: { a: ['127.0.0.2'] },
        // Somebody bought the domain and answers everything.
        '*.all.bl.example': { a: ['198.51.100.99'] },
        '*.mute.bl.example': { silent: true },
        '*.shut.bl.example': { a: ['127.255.255.254'] },
      };
      await save({ blockLists: lists, blockThreshold: 3 });
      await until('every list is checked', async () =>
        Object.values(await states()).every((state) => state !== 'waiting'),
      );
    });

    it('are checked before they are used: dead ones refuse nobody', async () => {
      assert.deepEqual(await states(), {
        'one.bl.example': 'good',
        'two.bl.example': 'good',
        'all.bl.example': 'listsAll',
        'dead.bl.example': 'listsNone',
        'mute.bl.example': 'silent',
        'shut.bl.example': 'refused',
      });
      assert.equal((await from('198.51.100.80')).code, 250);
    });

    it('refuse a client only when those that have it weigh enough together', async () => {
      assert.equal((await from('198.51.100.70')).code, 250);
      const reply = await from('198.51.100.71');
      assert.equal(reply.code, 554, reply.text);
      assert.match(
        reply.text,
        /198\.51\.100\.71\] blocked using one\.bl\.example, two\.bl\.example/,
      );
      assert.equal((await from('198.51.100.72')).code, 250);
    });

    it('are asked about IPv6 clients', async () => {
      const asked = await from('2001:db8::71').catch((error: Error) => error);
      if (asked instanceof Error) assert.match(asked.message, /XCLIENT|501/);
      else assert.equal(asked.code, 554, asked.text);
    });
  });

  describe('limits and plain checks', () => {
    it('are what the settings say, and go with them', async () => {
      await save({ connections: 5, messageRate: 2, helo: true, senderDomain: true });
      const { stdout } = await root.run('/usr/sbin/postconf', ['-c', root.places.configDir, '-n']);
      assert.match(stdout, /^smtpd_client_connection_count_limit = 5$/m);
      assert.match(stdout, /^smtpd_client_message_rate_limit = 2$/m);
      zone = { 'elsewhere.example': { a: ['198.51.100.1'] } };
      assert.equal((await from('198.51.100.90')).code, 250);
      assert.equal((await from('198.51.100.91', { sender: 'x@nowhere.example' })).code, 550);
      const codes = [];
      for (let mail = 0; mail < 4; mail += 1) codes.push((await from('198.51.100.92')).code);
      assert.ok(codes.includes(450), codes.join());
      await save({});
      assert.equal((await from('198.51.100.92')).code, 250);
    });
  });

  it('never opens the relay, and puts everything back when a policy server does not come up', async () => {
    const before = await readFile(`${root.places.configDir}/main.cf`, 'utf8');
    // Somebody else sits on its port.
    const ports = JSON.parse(
      await readFile(`${root.places.root}/etc/mailserver/ports.json`, 'utf8'),
    ) as { policy: number };
    const { createServer } = await import('node:net');
    const squatter = createServer((socket) => socket.destroy()).listen(ports.policy, '127.0.0.1');
    await assert.rejects(
      save({ greylisting: true }),
      (error) => error instanceof HelperError && error.restored,
    );
    squatter.close();
    assert.equal(await readFile(`${root.places.configDir}/main.cf`, 'utf8'), before);
    assert.doesNotMatch(await log(), /open relay/);
  });
});
