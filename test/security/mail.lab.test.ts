/** What the scanners do with real mail, in a private root with the real daemons. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { HelperError } from '../../lib/errors.js';
import { isQuarantineId } from '../../lib/quarantine/schema.js';
import { TEST_SPAM, TEST_VIRUS } from '../../lib/privileged/apply/scan-proof.js';
import { AMAVIS_FOLDER, QUARANTINE_FOLDER } from '../../lib/security/places.js';
import { SECURITY_DEFAULTS, type SecuritySettings } from '../../lib/security/schema.js';
import { portsOf } from '../../lib/privileged/ports.js';
import { readMbox } from '../support/mailbox.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { someQuery } from '../support/queries.js';
import { Saver } from '../support/saver.js';
import { runScanLoad } from '../support/scan-load.js';
import { sendMail, SmtpClient, type Delivery } from '../support/smtp-client.js';
import { until } from '../support/wait.js';

const ON: SecuritySettings = {
  ...{ ...SECURITY_DEFAULTS, spam: true, virus: true },
  alertAddress: 'bob@lab.test',
};
/** More than a MB, with a virus at its end. */
const LARGE_VIRUS = `${`${'x'.repeat(76)}\r\n`.repeat(15_000)}${TEST_VIRUS}`;

describe('mail that is scanned', () => {
  let root: PostfixRoot;
  let saver: Saver;
  before(async () => {
    root = await startPostfixRoot({ started: false });
    const setting = 'smtpd_authorized_xclient_hosts=127.0.0.1';
    await root.run('/usr/sbin/postconf', ['-c', root.places.configDir, '-e', setting]);
    assert.equal((await root.postfix('start')).code, 0);
    await signByHand();
    saver = new Saver(root.helper);
    await saver.save({ domains: { names: ['lab.test'] } });
  });
  after(() => root.stop());

  /** Signing is nothing that the pages set up: amavis was told so by somebody else. */
  const signByHand = async (): Promise<void> => {
    const key = `${root.places.root}/etc/amavis/dkim.pem`;
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    await writeFile(key, privateKey.export({ format: 'pem', type: 'pkcs1' }), { mode: 0o644 });
    await writeFile(
      `${root.places.root}${AMAVIS_FOLDER}/50-user`,
      `use strict;\n$enable_dkim_signing = 1;\n$policy_bank{'MYNETS'} = {};\ndkim_key('lab.test', 's1', '${key}');\n1;\n`,
    );
  };
  const status = () => root.helper.call('security-status', {}, { actor: 'test' });
  /** Kills what runs, as a crash would. */
  const stopDaemon = async (name: string): Promise<void> => {
    const file = `${root.places.root}/run/mailserver-daemons/${name}.pid`;
    process.kill(-Number((await readFile(file, 'utf8')).split(' ')[0]), 'SIGKILL');
  };
  /** What “Put everything right” does. */
  const repair = () => {
    const parts = ['group', 'freshclam', 'clamav', 'amavis'] as const;
    return root.helper.call('security-repair', { parts }, { actor: 'test' });
  };
  const send = (subject: string, body: string, port = root.smtpPort): Promise<Delivery> =>
    sendMail(port, { from: 'stranger@client.example', to: 'alice@lab.test', subject, body });
  /** With a virus in a packed attachment. */
  const sendArchive = (subject: string): Promise<Delivery> => {
    const packed = gzipSync(TEST_VIRUS).toString('base64');
    const head = `MIME-Version: 1.0\nContent-Type: application/gzip\nContent-Transfer-Encoding: base64`;
    const raw = `From: <x@client.example>\nSubject: ${subject}\n${head}\n\n${packed}\n`;
    return sendMail(root.smtpPort, { from: 'x@client.example', to: 'alice@lab.test', raw });
  };
  const received = (subject: string): Promise<string> =>
    until(`the mail "${subject}"`, async () =>
      (await readMbox(`${root.places.mailboxes}/alice`)).find((mail) =>
        new RegExp(`^Subject: .*${subject}$`, 'm').test(mail),
      ),
    );
  /** What the button of a scanner's page does. */
  const selfTest = (what: 'spam' | 'virus', recipient = 'alice@lab.test') =>
    root.helper.call(
      'security-test',
      { what, recipient, subject: `self-test-${what}`, text: 'Grüße' },
      { actor: 'test' },
    );
  const quarantine = async (): Promise<readonly string[]> =>
    (await readdir(root.places.root + QUARANTINE_FOLDER)).sort();
  const kept = (subject: string): Promise<string> =>
    until(`"${subject}" in the quarantine`, async () => {
      for (const name of await quarantine()) {
        const text = await readFile(`${root.places.root}${QUARANTINE_FOLDER}/${name}`, 'latin1');
        if (text.includes(`Subject: ${subject}`)) return name;
      }
      return undefined;
    });

  it('passes when nothing is wrong with it, and comes once', async () => {
    // A fresh Debian has the virus scanner in no group of amavis: it could read nothing.
    const groups = `${root.places.root}/etc/group`;
    const text = await readFile(groups, 'utf8');
    await writeFile(groups, text.replace(/^(amavis:.*:)clamav$/m, '$1'));
    assert.notEqual(await readFile(groups, 'utf8'), text);
    const result = await saver.save({ security: ON });
    assert.equal(result.status, 'applied');
    assert.deepEqual(
      result.proof.filter(({ ok }) => !ok),
      [],
    );
    assert.ok(result.proof.some(({ key }) => key === 'proof.virus'));
    assert.equal((await send('clean-1', 'Hello')).data?.code, 250);
    const mail = await received('clean-1');
    assert.match(mail, /^Received: from .*\(amavis, port \d+\)/ms);
    const all = await readMbox(`${root.places.mailboxes}/alice`);
    assert.equal(all.filter((one) => one.includes('clean-1')).length, 1);
  });

  it('leaves signed where amavis was told to, with the key that the check of the domain asks the DNS for', async () => {
    const { keys, unreadable } = await root.helper.call('dkim-keys', {}, { actor: 'test' });
    assert.deepEqual(unreadable, []);
    assert.deepEqual(
      keys.map(({ domain, selector }) => `${selector} ${domain}`),
      ['s1 lab.test'],
    );
    await sendMail(root.smtpPort, {
      ...{ from: 'bob@lab.test', to: 'alice@lab.test', subject: 'signed-1', body: 'Hello' },
    });
    const mail = (await received('signed-1')).replaceAll(/\n\s+/g, '');
    assert.match(mail, /^DKIM-Signature: v=1;.* d=lab\.test;.* ?s=s1;/m);
    assert.doesNotMatch(await received('clean-1'), /^DKIM-Signature:/m);
  });

  it('is marked as spam and delivered, as long as nothing is to be kept back', async () => {
    await send('gtube-1', TEST_SPAM);
    const mail = await received('gtube-1');
    assert.match(mail, /^Subject: \*\*\*SPAM\*\*\* gtube-1$/m);
    assert.match(mail, /^X-Spam-Flag: YES$/m);
  });

  it('that the page sends to test the scanners is told as what became of it', async () => {
    const spam = await selfTest('spam');
    assert.equal(spam.outcome, 'marked', JSON.stringify(spam));
    assert.ok((spam.score ?? 0) > 900);
    assert.match(await received('self-test-spam'), /^X-Spam-Flag: YES$/m);
    const virus = await selfTest('virus', '');
    assert.equal(virus.outcome, 'kept', JSON.stringify(virus));
    assert.equal(virus.recipient, 'postmaster@lab.test');
    assert.match(virus.keptAs, /^virus-/);
    assert.ok((await quarantine()).includes(virus.keptAs));
    await assert.rejects(
      selfTest('virus', 'anna@elsewhere.example'),
      (error) => error instanceof HelperError && error.key === 'helper.security.notHere',
    );
  });

  it('is kept back with a virus in it, and its sender hears nothing', async () => {
    assert.equal((await send('eicar-1', TEST_VIRUS)).data?.code, 250);
    const name = await kept('eicar-1');
    assert.ok(isQuarantineId(name));
    assert.match(name, /^virus-/);
    const { mode } = await stat(`${root.places.root}${QUARANTINE_FOLDER}/${name}`);
    assert.equal(mode & 0o007, 0, 'nobody else may read it');
    assert.doesNotMatch(await readFile(root.places.mailLog, 'utf8'), /sender non-delivery/);
    // Whoever was to be told is.
    await until('the alert', async () =>
      (await readMbox(`${root.places.mailboxes}/bob`)).some(
        (mail) => mail.includes('eicar-1') && mail.includes('Test.Eicar'),
      ),
    );
  });

  it('is kept back with a virus in an archive, or in an object as large as was allowed', async () => {
    await sendArchive('archive-1');
    assert.match(await kept('archive-1'), /^virus-/);
    await send('large-1', LARGE_VIRUS);
    assert.match(await kept('large-1'), /^virus-/);
  });

  it('comes back although it fills the size limit to the last byte', async () => {
    await saver.save({ base: { ...(await saver.base()), maxMessageSizeMb: 1 } });
    // What Postfix counts has the lines that it adds itself.
    const line = `${'x'.repeat(76)}\r\n`;
    let lines = Math.floor((1024 * 1024 - 400) / line.length);
    while ((await send('full-1', line.repeat(lines))).data?.code === 552) lines -= 1;
    await received('full-1');
    await saver.save({ base: { ...(await saver.base()), maxMessageSizeMb: 10 } });
  });

  it('is kept back as spam from the score on that was set', async () => {
    await saver.save({ security: { ...ON, keepLevel: 100 } });
    await send('gtube-2', TEST_SPAM);
    assert.match(await kept('gtube-2'), /^spam-/);
    const { outcome, keptAs } = await selfTest('spam');
    assert.equal(outcome, 'kept');
    assert.match(keptAs, /^spam-/);
  });

  it('is never spam from an excepted sender or server, and a virus all the same', async () => {
    const from = async (address: string, sender: string, subject: string, body: string) => {
      const [client] = await SmtpClient.open(root.smtpPort);
      await client.command(`XCLIENT ADDR=${address} NAME=client.example`);
      await client.command('EHLO client.example');
      await client.command(`MAIL FROM:<${sender}>`);
      assert.equal((await client.command('RCPT TO:<alice@lab.test>')).code, 250);
      await client.command('DATA');
      const text = `From: <${sender}>\nSubject: ${subject}\n\n${body}\n`;
      assert.equal((await client.message(text)).code, 250);
      client.close();
    };
    const values = ['192.0.2.7', '198.51.100.0/24', 'a_%+=&~-z@one.example', 'partner.example'];
    const { proof } = await saver.save({ exceptions: { values } });
    assert.ok(proof.some(({ key, ok }) => key === 'proof.spam' && ok));
    await from('203.0.113.9', 'x@sub.partner.example', 'excepted-1', TEST_SPAM);
    await from('203.0.113.9', 'a_%+=&~-z@one.example', 'excepted-2', TEST_SPAM);
    await from('192.0.2.7', 'x@other.example', 'excepted-3', TEST_SPAM);
    await from('198.51.100.40', 'x@other.example', 'excepted-4', TEST_SPAM);
    for (const subject of ['excepted-1', 'excepted-2', 'excepted-3', 'excepted-4']) {
      const mail = await received(subject);
      assert.doesNotMatch(mail, /^X-Spam-Flag: YES|\*\*\*SPAM/m);
    }
    await from('203.0.113.9', 'x@otherpartner.example', 'not-excepted-1', TEST_SPAM);
    assert.match(await kept('not-excepted-1'), /^spam-/);
    await from('192.0.2.8', 'x@other.example', 'not-excepted-2', TEST_SPAM);
    assert.match(await kept('not-excepted-2'), /^spam-/);
    await from('192.0.2.7', 'x@partner.example', 'not-excepted-3', TEST_VIRUS);
    assert.match(await kept('not-excepted-3'), /^virus-/);
  });

  it('is refused while it is sent, when that was chosen', async () => {
    await saver.save({ security: { ...ON, keepLevel: 100, place: 'before' } });
    const virus = await send('eicar-2', TEST_VIRUS);
    assert.equal(virus.data?.code, 554);
    assert.match(virus.data?.text ?? '', /INFECTED/);
    const spam = await send('gtube-3', TEST_SPAM);
    assert.equal(spam.data?.code, 554);
    assert.equal((await selfTest('virus')).outcome, 'refused');
    assert.equal((await selfTest('spam')).outcome, 'refused');
    await send('clean-2', 'Hello');
    await received('clean-2');
    // What is sent on the machine itself is not refused by anybody.
    await root.run(
      '/usr/sbin/sendmail',
      ['-C', root.places.configDir, '-f', 'x@lab.test', 'alice@lab.test'],
      {
        input: `Subject: eicar-3\n\n${TEST_VIRUS}\n`,
      },
    );
    await kept('eicar-3');
    // And whoever sends is put off, not told anything about a virus, while the scanner is down.
    await stopDaemon('clamav-daemon');
    assert.equal((await send('put-off-1', 'Hello')).data?.code, 451);
    assert.ok((await repair()).done.includes('clamav'));
    await send('put-off-2', 'Hello');
    await received('put-off-2');
    const all = await readMbox(`${root.places.mailboxes}/alice`);
    assert.ok(!all.some((mail) => mail.includes('put-off-1')));
  });

  it('waits while the scanner is down, unscanned by nobody, and goes on when it is put right', async () => {
    await saver.save({ security: ON });
    await stopDaemon('clamav-daemon');
    const down = await status();
    assert.equal(down.clamav.answers, false);
    for (const name of ['down-1', 'down-2', 'down-3']) {
      assert.equal((await send(name, name === 'down-2' ? TEST_VIRUS : 'Hello')).data?.code, 250);
    }
    await until('the first to be put off', async () =>
      /status=deferred .*virus_scan/.test(await readFile(root.places.mailLog, 'utf8')),
    );
    assert.ok(
      !(await readMbox(`${root.places.mailboxes}/alice`)).some((mail) => mail.includes('down-')),
    );
    assert.equal((await selfTest('virus')).outcome, 'waiting');
    const { done, proof } = await repair();
    assert.ok(done.includes('clamav'));
    assert.ok(proof.every(({ ok }) => ok));
    await received('down-1');
    await received('down-3');
    await kept('down-2');
    assert.equal((await status()).clamav.answers, true);
  });

  it('is never lost and never unscanned when amavis and the scanner die while many mails come', async () => {
    const { putOff } = await runScanLoad(root, {
      ...{ messages: 48, infectedEvery: 6, login: 'carol' },
      breakIt: async () => {
        await stopDaemon('clamav-daemon');
        await until('one of them to be put off', async () =>
          /to=<carol@lab\.test>.* status=deferred /.test(
            await readFile(root.places.mailLog, 'utf8'),
          ),
        );
        await stopDaemon('amavis');
      },
      mendIt: async () => {
        const { done, proof } = await repair();
        assert.deepEqual([done.includes('clamav'), done.includes('amavis')], [true, true]);
        assert.ok(proof.every(({ ok }) => ok));
      },
    });
    assert.equal(putOff, 0, 'all is taken meanwhile');
  });

  it('passes while the scanner is down when that was chosen, marked, and does not say that it was scanned', async () => {
    const careless = { whileDown: 'pass', archives: false, largestObjectMb: 1 } as const;
    await saver.save({ security: { ...ON, ...careless } });
    // What is not to be looked into comes through, as the page says.
    await Promise.all([sendArchive('archive-2'), send('large-2', LARGE_VIRUS)]);
    for (const subject of ['archive-2', 'large-2'])
      assert.doesNotMatch(await received(subject), /UNCHECKED/);
    await stopDaemon('clamav-daemon');
    const isMarked = (mail: string): void => {
      assert.match(mail, /^Subject: \*\*\*UNCHECKED\*\*\* /m);
      assert.doesNotMatch(mail, /^X-Virus-Scanned: /m);
    };
    const [tested] = await Promise.all([
      selfTest('virus'),
      send('marked-1', 'Hello'),
      send('marked-2', TEST_VIRUS),
      send('marked-3', TEST_SPAM),
    ]);
    assert.equal(tested.outcome, 'unchecked');
    for (const subject of ['marked-1', 'marked-2', 'marked-3']) isMarked(await received(subject));
    // It was looked at for spam all the same.
    assert.match(await received('marked-3'), /^X-Spam-Flag: YES$/m);
    assert.ok((await repair()).done.includes('clamav'));
    await send('marked-4', TEST_VIRUS);
    await kept('marked-4');
    await saver.save({ security: ON });
  });

  it('is scanned when it was fetched from another provider, although it comes from this machine', async () => {
    const query = someQuery({
      ...{ protocol: 'etrn', remoteUser: '', remotePassword: '', ssl: 'none' },
      ...{ destination: 'multidrop', localDomains: ['lab.test'], users: [] },
    });
    await saver.save({ fetchmail: { queries: [query] } });
    const { fetchmailIn } = await portsOf(root.places);
    assert.equal((await send('fetched-1', 'Hello', fetchmailIn)).data?.code, 250);
    assert.match(await received('fetched-1'), /^X-Virus-Scanned: /m);
    await send('fetched-2', TEST_VIRUS, fetchmailIn);
    await kept('fetched-2');
    await saver.save({ fetchmail: { queries: [] } });
  });

  it('is looked at with signatures that were fetched a moment ago, by the proxy with its password', async () => {
    const asked: (string | undefined)[] = [];
    const proxy = createServer((req, res) => {
      const signature = `Fetched.Test:0:*:${Buffer.from('fetched-just-now').toString('hex')}\n`;
      if (req.url?.endsWith('/fetched.ndb')) res.end(signature);
      else res.writeHead(404).end();
    });
    // freshclam asks for a tunnel, and speaks with the server through it.
    proxy.on('connect', (req, socket) => {
      asked.push(`${req.url} ${req.headers['proxy-authorization']}`);
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      proxy.emit('connection', socket);
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    try {
      const file = `${root.places.root}/etc/clamav/freshclam.conf`;
      const own = await readFile(file, 'utf8');
      const { port } = proxy.address() as AddressInfo;
      const update = (to: string) =>
        root.helper.call('security-update', { what: 'signatures', proxy: to }, { actor: 'test' });
      await assert.rejects(
        update(`http://user:secret@127.0.0.1:${port}`),
        (error) =>
          error instanceof HelperError &&
          error.key === 'helper.security.update' &&
          !error.detail.includes('secret'),
      );
      await assert.rejects(update('http://x:1\nOnUpdateExecute id'), HelperError);
      const others = ['main', 'daily', 'bytecode'].map((name) => `ExcludeDatabase ${name}\n`);
      const custom = `DatabaseCustomURL http://signatures.example/fetched.ndb\n`;
      await writeFile(file, own + others.join('') + custom);
      const { done } = await update(`http://user:secret@127.0.0.1:${port}`);
      assert.deepEqual(done, ['signatures']);
      const login = `Basic ${Buffer.from('user:secret').toString('base64')}`;
      assert.ok(asked.includes(`signatures.example:80 ${login}`), asked.join('\n'));
      assert.match(
        await readFile(`${root.places.root}/var/lib/clamav/fetched.ndb`, 'utf8'),
        /^Fetched.Test/,
      );
      await writeFile(file, own);
      await send('fetched-signature', 'fetched-just-now');
      assert.match(await kept('fetched-signature'), /^virus-/);
      await rm(`${root.places.root}/var/lib/clamav/fetched.ndb`);
    } finally {
      proxy.close();
    }
    await assert.rejects(
      root.helper.call('security-update', { what: 'rules', proxy: null }, { actor: 'test' }),
      (error) => error instanceof HelperError && error.key === 'helper.security.machineRules',
    );
  });

  it('that waits for the scanner goes on without it when all is switched off', async () => {
    await stopDaemon('amavis');
    await send('stuck-1', 'Hello');
    await until('it to be put off', async () =>
      /status=deferred \((?:connect to|lost connection with) 127/.test(
        await readFile(root.places.mailLog, 'utf8'),
      ),
    );
    const mail = { from: 'stranger@client.example', to: 'bob@lab.test', subject: 'held-1' };
    await sendMail(root.smtpPort, { ...mail, body: 'Hello' });
    const queue = async (): Promise<string> =>
      (await root.run('/usr/sbin/postqueue', ['-c', root.places.configDir, '-j'])).stdout;
    const held = await until('the one to hold', async () => {
      const line = (await queue()).split('\n').find((one) => one.includes('bob@lab.test'));
      return /"queue_id": ?"([^"]+)"/.exec(line ?? '')?.[1];
    });
    await root.run('/usr/sbin/postsuper', ['-c', root.places.configDir, '-h', held]);
    await saver.save({ security: { ...ON, spam: false, virus: false } });
    await received('stuck-1');
    assert.match(await queue(), /"queue_name": ?"hold"/, 'what somebody holds stays held');
    await root.run('/usr/sbin/postsuper', ['-c', root.places.configDir, '-d', held]);
  });

  it('is not scanned any more when all is switched off, and none is left behind', async () => {
    await saver.save({ security: { ...ON, spam: false, virus: false } });
    await send('off-1', TEST_SPAM);
    assert.match(await received('off-1'), /^Subject: off-1$/m);
    await assert.rejects(
      selfTest('spam'),
      (error) => error instanceof HelperError && error.key === 'helper.security.testOff.spam',
    );
    const answer = await root.run('/usr/sbin/postconf', ['-c', root.places.configDir, '-n']);
    assert.doesNotMatch(answer.stdout, /content_filter|proxy_filter/);
  });

  it('is not touched by a change that does not work', async () => {
    const clamd = `${root.places.root}/etc/clamav/clamd.conf`;
    const before = await readFile(clamd, 'utf8');
    await root.run('/bin/mv', [
      `${root.places.root}/var/lib/clamav/test.ndb`,
      `${root.places.root}/var/lib/clamav/gone`,
    ]);
    await assert.rejects(
      saver.save({ security: ON }),
      (error) => error instanceof HelperError && error.key === 'helper.check.noSignatures',
    );
    assert.equal(await readFile(clamd, 'utf8'), before);
    await send('off-2', 'Hello');
    await received('off-2');
  });
});
