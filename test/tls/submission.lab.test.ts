/** What encryption and sign-in make the real Postfix do, seen by mail programs and by other servers. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { after, before, describe, it } from 'node:test';
import nodemailer from 'nodemailer';
import { HelperError } from '../../lib/errors.js';
import { SmtpDialogue } from '../../lib/privileged/smtp-dialogue.js';
import type { TlsSettings } from '../../lib/tls/schema.js';
import { makeAuthority, makeCertificate, type KeyPair } from '../support/certificate.js';
import { startDovecotLogins, startSaslauthd, type Logins } from '../support/logins.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { Saver } from '../support/saver.js';
import { sendMail } from '../support/smtp-client.js';
import { startSmtpSink, type SmtpSink } from '../support/smtp-sink.js';
import { until } from '../support/wait.js';

const NAME = 'mail.example.test';
const USER = { user: 'alice', password: 'Päss:wörd "1"\\' };
const OUTSIDE = 'somebody@outside.example';
const REPLY_MS = 120_000;

describe('encryption and sign-in', () => {
  const authority = makeAuthority('Authority of the tests');
  let root: PostfixRoot;
  let saver: Saver;
  /** Takes everything that leaves; offers encryption. */
  let modern: SmtpSink;
  /** Another one that cannot encrypt. */
  let old: SmtpSink;
  let logins: Logins | null = null;
  let ports: { submission: number; submissions: number };

  before(async () => {
    root = await startPostfixRoot();
    saver = new Saver(root.helper);
    modern = await startSmtpSink({ tls: makeCertificate({ names: ['modern.example'] }) });
    old = await startSmtpSink();
    // By hand and not by a smarthost, which has an encryption of its own.
    await byHand(
      `transport_maps=inline:{ {old.example=smtp:[127.0.0.1]:${old.port}} {outside.example=smtp:[127.0.0.1]:${modern.port}} }`,
    );
    const setUp = makeCertificate({ names: ['set-up.example.test'] });
    await writeFile(`${root.places.root}/etc/set-up.pem`, setUp.cert + setUp.key, { mode: 0o600 });
    await byHand(
      `smtpd_tls_cert_file=${root.places.root}/etc/set-up.pem`,
      `smtpd_tls_key_file=${root.places.root}/etc/set-up.pem`,
      'smtpd_tls_security_level=may',
    );
    await write('mail', makeCertificate({ names: [NAME], issuer: authority }));
    await write('expired', makeCertificate({ names: [NAME], issuer: authority, days: -1 }));
    ({ ports } = await means());
  });
  after(async () => {
    await logins?.stop();
    await Promise.all([modern.stop(), old.stop()]);
    await root.stop();
  });

  const means = () => root.helper.call('encryption', {}, { actor: 'test' });
  const file = (name: string): string => `${root.places.certificates}/${name}`;
  const configuration = () =>
    Promise.all(
      ['main.cf', 'master.cf'].map((name) =>
        readFile(`${root.places.configDir}/${name}`, 'latin1'),
      ),
    );

  async function byHand(...settings: string[]): Promise<void> {
    const { configDir } = root.places;
    const answer = await root.run('/usr/sbin/postconf', ['-c', configDir, '-e', ...settings]);
    assert.equal(answer.code, 0, answer.stderr);
    const then = Date.now() / 1000 - 60;
    await utimes(`${configDir}/main.cf`, then, then);
    await root.reload();
  }

  async function write(name: string, { cert, key }: KeyPair): Promise<void> {
    await writeFile(file(`${name}.key`), key, { mode: 0o600 });
    await writeFile(file(`${name}.crt`), cert, { mode: 0o644 });
  }

  async function save(change: Partial<TlsSettings>) {
    const { sections } = await root.helper.call('read', { sections: ['tls'] }, { actor: 'test' });
    const present = sections['tls']?.settings as TlsSettings;
    return saver.save({ tls: { ...present, ...change } });
  }

  const refusedWith = (key: string) => (error: unknown) =>
    error instanceof HelperError && error.key === key && error.restored;

  /** As a mail program does that insists on a proper certificate. */
  async function submit(
    which: 'submission' | 'submissions',
    subject: string,
    auth: { user: string; pass: string } | null,
  ): Promise<string> {
    const transport = nodemailer.createTransport({
      host: '127.0.0.1',
      port: ports[which],
      secure: which === 'submissions',
      requireTLS: true,
      tls: { ca: authority.cert, servername: NAME },
      ...(auth ? { auth } : {}),
      ...{ connectionTimeout: REPLY_MS, greetingTimeout: REPLY_MS, socketTimeout: REPLY_MS },
    });
    try {
      const { response } = (await transport.sendMail({
        ...{ from: 'alice@example.test', to: OUTSIDE, subject, text: 'Hello' },
      })) as { response: string };
      return response;
    } catch (error) {
      return (error as { response?: string }).response ?? String(error);
    } finally {
      transport.close();
    }
  }

  const good = { user: USER.user, pass: USER.password };
  const bad = { user: USER.user, pass: 'wrong' };

  async function shownAt(port: number): Promise<string> {
    const { dialogue } = await SmtpDialogue.open({ host: '127.0.0.1', port }, REPLY_MS);
    await dialogue.say('EHLO client.example');
    assert.equal((await dialogue.say('STARTTLS')).code, 220);
    const secure = await dialogue.encrypt();
    const { fingerprint256 } = secure.getPeerCertificate();
    await dialogue.close();
    return fingerprint256;
  }
  const fingerprintOf = async (name: string): Promise<string> =>
    new X509Certificate(await readFile(file(`${name}.crt`))).fingerprint256;

  describe('the certificate', () => {
    it('is shown on port 25 once it is chosen, and taking it back brings the old one again', async () => {
      const before = await configuration();
      const first = await shownAt(root.smtpPort);
      const result = await save({ certificate: 'mail' });
      assert.ok(result.proof.some(({ key, ok }) => key === 'proof.tls' && ok));
      assert.equal(await shownAt(root.smtpPort), await fingerprintOf('mail'));
      const { original } = await means();
      assert.equal(original?.file, `${root.places.root}/etc/set-up.pem`);
      assert.deepEqual(original.facts?.names, ['set-up.example.test']);
      await save({ certificate: '' });
      assert.equal(await shownAt(root.smtpPort), first);
      const withoutProbe = (text: string) =>
        text.replace(/^mailserver-probe[^\n]*\n(?:\s[^\n]*\n)*/m, '');
      assert.deepEqual((await configuration()).map(withoutProbe), before.map(withoutProbe));
      const drift = await root.helper.call('drift', {}, { actor: 'test' });
      assert.deepEqual(drift, []);
    });

    it('is refused with the reason when it has expired, has another key, or is not there', async () => {
      await write('mixed', {
        ...makeCertificate({ names: [NAME] }),
        key: makeCertificate({ names: [NAME] }).key,
      });
      const before = await configuration();
      for (const [certificate, fault] of [
        ['expired', 'expired'],
        ['mixed', 'keyOther'],
        ['nothing', 'gone'],
      ] as const) {
        const key = `certificate.problem.${fault}`;
        await assert.rejects(save({ certificate }), refusedWith(key), certificate);
      }
      assert.deepEqual(await configuration(), before);
    });

    it('that is renewed on disk is shown without a save, when a process has served its hundred', async () => {
      await save({ certificate: 'mail' });
      const before = await fingerprintOf('mail');
      assert.equal(await shownAt(root.smtpPort), before);
      await write('mail', makeCertificate({ names: [NAME], issuer: authority }));
      const renewed = await fingerprintOf('mail');
      assert.notEqual(renewed, before);
      // A process of smtpd(8) ends after max_use connections, and a new one reads the files.
      await until(
        'the renewed certificate',
        async () => (await shownAt(root.smtpPort)) === renewed,
      );
    });
  });

  describe('the ports for mail programs', () => {
    it('cannot be switched on while nobody checks passwords', async () => {
      const before = await configuration();
      for (const which of ['submission', 'submissions'] as const) {
        await assert.rejects(save({ [which]: true }), refusedWith('tls.problem.noLogin'));
      }
      assert.deepEqual(await configuration(), before);
      assert.equal((await means()).login, null);
    });

    it('cannot be opened while another program has them, and nothing happens', async () => {
      logins = await startDovecotLogins(root, USER);
      const other = createServer().listen(ports.submissions, '127.0.0.1');
      await once(other, 'listening');
      const before = await configuration();
      const taken = refusedWith('helper.check.portTaken');
      await assert.rejects(save({ submissions: true }), taken);
      assert.deepEqual(await configuration(), before);
      other.close();
      await once(other, 'close');
    });

    it('take mail from who signs in, with either kind of encryption', async () => {
      const result = await save({ submission: true, submissions: true });
      for (const port of Object.values(ports)) {
        for (const key of ['proof.submission', 'proof.login', 'proof.tls']) {
          const held = result.proof.some(
            (step) => step.key === key && step.values['port'] === port && step.ok,
          );
          assert.ok(held, `${key} on ${port}`);
        }
      }
      for (const which of ['submission', 'submissions'] as const) {
        assert.match(await submit(which, `signed in by ${which}`, good), /^250 /);
        const { raw } = await modern.waitFor(`signed in by ${which}`);
        assert.match(raw, /with ESMTPSA/);
      }
    });

    it('refuse a wrong password, and who does not sign in', async () => {
      for (const which of ['submission', 'submissions'] as const) {
        assert.match(await submit(which, 'wrong', bad), /^535 5\.7\.8/);
        assert.match(await submit(which, 'nobody', null), /^554 5\.7\.1/);
      }
    });

    it('offer no sign-in without encryption, and neither does port 25', async () => {
      const at = { host: '127.0.0.1', port: ports.submission };
      const { dialogue } = await SmtpDialogue.open(at, REPLY_MS);
      const hello = await dialogue.say('EHLO client.example');
      assert.doesNotMatch(hello.lines.join('\n'), /AUTH/);
      const login = Buffer.from(`\0${USER.user}\0${USER.password}`).toString('base64');
      assert.ok((await dialogue.say(`AUTH PLAIN ${login}`)).code >= 500);
      assert.equal((await dialogue.say('MAIL FROM:<alice@example.test>')).code, 530);
      await dialogue.close();
      const [public25] = await Promise.all([
        SmtpDialogue.open({ host: '127.0.0.1', port: root.smtpPort }, REPLY_MS),
      ]);
      await public25.dialogue.say('EHLO client.example');
      await public25.dialogue.say('STARTTLS');
      await public25.dialogue.encrypt();
      const late = await public25.dialogue.say('EHLO client.example');
      assert.doesNotMatch(late.lines.join('\n'), /AUTH/);
      await public25.dialogue.close();
    });

    it('show the chosen certificate, from the first byte on where that is wanted', async () => {
      const wanted = await fingerprintOf('mail');
      assert.equal(await shownAt(ports.submission), wanted);
      const socket: TLSSocket = connect({
        ...{ host: '127.0.0.1', port: ports.submissions, servername: NAME, ca: authority.cert },
      });
      await once(socket, 'secureConnect');
      assert.equal(socket.authorized, true);
      assert.equal(socket.getPeerCertificate().fingerprint256, wanted);
      socket.destroy();
    });

    it('are closed again, and only they', async () => {
      await save({ submission: false, submissions: false });
      for (const which of ['submission', 'submissions'] as const) {
        await until(`a closed ${which}`, async () =>
          /ECONNREFUSED/.test(await submit(which, 'closed', good)),
        );
      }
      const here = { from: 'a@b.example', to: 'alice@localhost', subject: 'still open' };
      assert.equal((await sendMail(root.smtpPort, here)).data?.code, 250);
    });

    it('ask saslauthd where Dovecot does not run', async () => {
      await logins?.stop();
      logins = await startSaslauthd(root, { user: 'alice', password: USER.password });
      assert.equal((await means()).login, 'saslauthd');
      const result = await save({ submission: true });
      assert.ok(result.proof.some(({ key, ok }) => key === 'proof.login' && ok));
      assert.match(await submit('submission', 'by saslauthd', good), /^250 /);
      await modern.waitFor('by saslauthd');
      assert.match(await submit('submission', 'wrong', bad), /^535 5\.7\.8/);
      await save({ submission: false });
      const conf = `${root.places.configDir}/sasl/mailserver.conf`;
      await assert.rejects(readFile(conf), { code: 'ENOENT' });
    });
  });

  describe('between servers', () => {
    const arrives = async (subject: string, encrypted: boolean): Promise<string> => {
      const client = { from: 'a@b.example', to: 'alice@localhost' };
      if (!encrypted)
        return String((await sendMail(root.smtpPort, { ...client, subject })).mail.code);
      const { dialogue } = await SmtpDialogue.open(
        { host: '127.0.0.1', port: root.smtpPort },
        REPLY_MS,
      );
      await dialogue.say('EHLO client.example');
      const offer = await dialogue.say('STARTTLS');
      if (offer.code !== 220) {
        await dialogue.close();
        return `no encryption: ${offer.code}`;
      }
      await dialogue.encrypt();
      await dialogue.say('EHLO client.example');
      const answer = await dialogue.say(`MAIL FROM:<${client.from}>`);
      await dialogue.close();
      return String(answer.code);
    };

    it('incoming mail is taken as the level says', async () => {
      await save({ incoming: 'encrypt' });
      assert.deepEqual([await arrives('x', false), await arrives('x', true)], ['530', '250']);
      await save({ incoming: 'may' });
      assert.deepEqual([await arrives('x', false), await arrives('x', true)], ['250', '250']);
      await save({ incoming: 'none' });
      assert.deepEqual(
        [await arrives('x', false), await arrives('x', true)],
        ['250', 'no encryption: 502'],
      );
      await save({ incoming: 'may' });
    });

    it('outgoing mail is encrypted as the level says', async () => {
      const send = async (to: string, subject: string): Promise<void> => {
        const answer = await sendMail(root.smtpPort, { from: 'a@b.example', to, subject });
        assert.equal(answer.data?.code, 250);
      };
      await save({ outgoing: 'may' });
      await send(OUTSIDE, 'may, modern');
      await send('somebody@old.example', 'may, old');
      assert.equal((await modern.waitFor('may, modern')).tls, true);
      assert.equal((await old.waitFor('may, old')).tls, false);

      await save({ outgoing: 'none' });
      await send(OUTSIDE, 'none, modern');
      assert.equal((await modern.waitFor('none, modern')).tls, false);

      await save({ outgoing: 'encrypt' });
      await send(OUTSIDE, 'encrypt, modern');
      await send('somebody@old.example', 'encrypt, old');
      assert.equal((await modern.waitFor('encrypt, modern')).tls, true);
      await until('the word that the old server cannot encrypt', async () =>
        /to=<somebody@old\.example>.*status=deferred \(TLS is required, but was not offered/.test(
          await readFile(root.places.mailLog, 'utf8'),
        ),
      );
      assert.equal(
        old.messages.some(({ raw }) => raw.includes('encrypt, old')),
        false,
      );
    });

    it('encryption that nobody could use is not demanded', async () => {
      await rm(file('mail.crt'));
      await chmod(file('mail.key'), 0o600);
      await byHand('smtpd_tls_cert_file=', 'smtpd_tls_key_file=');
      const { sections } = await root.helper.call('read', { sections: ['tls'] }, { actor: 'test' });
      const tls = sections['tls']?.settings as TlsSettings;
      const drift = await root.helper.call('drift', {}, { actor: 'test' });
      const overwrite = Object.fromEntries(drift.map(({ name, digest }) => [name, digest]));
      const wanted = saver.save(
        { tls: { ...tls, certificate: '', incoming: 'encrypt' } },
        { overwrite },
      );
      await assert.rejects(wanted, refusedWith('tls.problem.noCertificate'));
    });
  });
});
