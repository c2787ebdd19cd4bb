/** What a save makes the real Postfix do. */
import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { BYTES_PER_MB } from '../../lib/base/schema.js';
import { HelperError } from '../../lib/errors.js';
import { createHelper } from '../../lib/client/helper.js';
import { pathsBelow } from '../../lib/privileged/paths.js';
import { startDovecot, type Dovecot } from '../support/dovecot.js';
import { ASKS_FOR_ROOM, faultyTransport } from '../support/faults.js';
import { readMbox } from '../support/mailbox.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { Saver } from '../support/saver.js';
import { sendMail, SmtpClient } from '../support/smtp-client.js';
import { startSmtpSink, type SmtpSink } from '../support/smtp-sink.js';
import { stoppedHelper } from '../support/stopped-helper.js';
import { until } from '../support/wait.js';

const OUTSIDE = 'somebody@outside.example';

describe('a save', () => {
  let root: PostfixRoot;
  let saver: Saver;
  let sink: SmtpSink;

  before(async () => {
    root = await startPostfixRoot({ started: false });
    sink = await startSmtpSink();
    await byHand(`relayhost=[127.0.0.1]:${sink.port}`, 'smtp_host_lookup=native');
    await root.postfix('start');
    await until('the end of the start', async () =>
      /daemon started/.test(await readFile(root.places.mailLog, 'utf8')),
    );
    saver = new Saver(createHelper(root.transport));
  });
  after(async () => {
    await sink.stop();
    await root.stop();
  });

  const file = (name: string) => `${root.places.configDir}/${name}`;
  const mailbox = (login: string) => readMbox(`${root.places.mailboxes}/${login}`);
  const send = (to: string, subject: string) =>
    sendMail(root.smtpPort, { from: 'sender@client.example', to, subject });

  /** As an administrator with an editor does; dated back as if it were some time ago. */
  async function byHand(...settings: string[]): Promise<void> {
    const answer = await root.run('/usr/sbin/postconf', [
      '-c',
      root.places.configDir,
      '-e',
      ...settings,
    ]);
    assert.equal(answer.code, 0, answer.stderr);
    const then = Date.now() / 1000 - 60;
    await utimes(file('main.cf'), then, then);
  }

  async function announcedSize(): Promise<string | undefined> {
    const [client] = await SmtpClient.open(root.smtpPort);
    const hello = await client.command('EHLO client.example');
    client.close();
    return /^SIZE ?(.*)$/m.exec(hello.text)?.[1];
  }

  it('does not lose what an editor writes into main.cf while it is checked', async () => {
    // Stopped when all is checked, so that the editor comes in time.
    const stopping = createHelper(faultyTransport(root, ASKS_FOR_ROOM, { signal: 'STOP' }));
    let ended = false;
    const saving = new Saver(stopping)
      .saveBase({ maxMessageSizeMb: 33 })
      .catch((error: unknown) => error)
      .finally(() => (ended = true));
    const stages = `${pathsBelow(root.places.root).stateDir}/stages`;
    await until('the save to have read main.cf', async () => {
      const [stage] = await readdir(stages).catch(() => []);
      return stage !== undefined && (await readdir(`${stages}/${stage}`)).includes('main.cf');
    });
    await appendFile(file('main.cf'), '# written by an editor\n');
    await until('the end of the save', async () => {
      const stopped = await stoppedHelper(root);
      if (stopped !== null) process.kill(stopped, 'SIGCONT');
      return ended;
    });
    const refusal = await saving;
    assert.match(await readFile(file('main.cf'), 'latin1'), /^# written by an editor$/m);
    assert.ok(refusal instanceof HelperError);
    assert.equal(refusal.key, 'helper.drift.meanwhile');
  });

  it('of an unchanged form changes no byte and reloads nothing', async () => {
    const look = async () =>
      Promise.all(
        ['main.cf', 'master.cf'].map(async (name) => {
          const { ino, mtimeMs, ctimeMs } = await stat(file(name));
          return { ino, mtimeMs, ctimeMs, content: await readFile(file(name), 'latin1') };
        }),
      );
    const before = await look();
    const log = await readFile(root.places.mailLog, 'utf8');
    for (let round = 0; round < 2; round += 1) {
      const result = await saver.save({
        base: await saver.base(),
        domains: { names: await saver.domains() },
      });
      assert.equal(result.status, 'unchanged');
      assert.equal(result.activation, 'none');
    }
    assert.deepEqual(await look(), before);
    assert.equal(await readFile(root.places.mailLog, 'utf8'), log);
  });

  it('of the name changes what a receiving server hears in HELO', async () => {
    for (const mailServerName of ['mx1.example.org', 'xn--mller-kva.example']) {
      const result = await saver.saveBase({ mailServerName });
      assert.equal(result.status, 'applied');
      await send(OUTSIDE, `helo ${mailServerName}`);
      assert.equal((await sink.waitFor(`helo ${mailServerName}`)).helo, mailServerName);
    }
    await saver.saveBase({ mailServerName: '' });
    const machine = await root.helper.call('describe', {}, { actor: 'test' });
    await send(OUTSIDE, 'helo of the machine');
    assert.equal((await sink.waitFor('helo of the machine')).helo, machine.machineName);
    await saver.saveBase({ mailServerName: 'mx1.example.org' });
  });

  /**
   * postconf(5): message_size_limit counts the envelope too, and Postfix' own Received line is part of what it counts.
   * Both are the same for every message here, so the largest one that passes shows how much that is.
   */
  it('of the size limit lets a message in that reaches it, and refuses one byte more with 552', async () => {
    await saver.saveBase({ maxMessageSizeMb: 1 });
    const limit = BYTES_PER_MB;
    assert.equal(await announcedSize(), String(limit));
    const announced = async (announceSize: number) =>
      (await sendMail(root.smtpPort, { from: 'a@b.example', to: 'alice@localhost', announceSize }))
        .mail.code;
    assert.equal(await announced(limit), 250);
    assert.equal(await announced(limit + 1), 552);

    const codes = new Map<number, number | undefined>();
    const passes = async (bytes: number): Promise<boolean> => {
      const raw = messageOf(bytes);
      const { data } = await sendMail(root.smtpPort, {
        from: 'a@b.example',
        to: 'alice@localhost',
        raw,
      });
      codes.set(bytes, data?.code);
      return data?.code === 250;
    };
    let [largest, tooLarge] = [limit - 4_096, limit + 1];
    assert.ok(await passes(largest));
    assert.equal(await passes(tooLarge), false);
    while (tooLarge - largest > 1) {
      const middle = Math.floor((largest + tooLarge) / 2);
      if (await passes(middle)) largest = middle;
      else tooLarge = middle;
    }
    assert.deepEqual([codes.get(largest), codes.get(largest + 1)], [250, 552]);
    const end = new RegExp(`^end of ${largest}$`, 'm');
    await until('the largest message', async () =>
      (await mailbox('alice')).some((text) => end.test(text)),
    );
    assert.equal(
      (await mailbox('alice')).some((text) => text.includes(`end of ${tooLarge}`)),
      false,
    );
  });

  it('of no limit takes and delivers what was too large for every limit there was', async () => {
    await byHand('mailbox_size_limit=2000000');
    await saver.saveBase({ maxMessageSizeMb: null });
    assert.ok(['', '0', undefined].includes(await announcedSize()));
    const raw = `Subject: large\r\n\r\n${`${'z'.repeat(98)}\r\n`.repeat(120_000)}`;
    const { data } = await sendMail(root.smtpPort, {
      from: 'a@b.example',
      to: 'alice@localhost',
      raw,
    });
    assert.equal(data?.code, 250);
    await until(
      'the large message',
      async () => (await sizeOf(`${root.places.mailboxes}/alice`)) > raw.length * 0.9,
    );
    await saver.saveBase({ maxMessageSizeMb: 20 });
  });

  it('of a local domain brings its mail into a mailbox of the system', async () => {
    const names = [...(await saver.domains()), 'new.example', 'xn--mller-kva.example', 'q'];
    const refused = await send('bob@new.example', 'too early');
    await sink.waitFor('too early');
    assert.equal(refused.recipients[0]?.code, 250);
    await saver.save({ domains: { names } });
    for (const domain of ['new.example', 'NEW.Example', 'xn--mller-kva.example', 'q']) {
      const { data } = await send(`bob@${domain}`, `to ${domain}`);
      assert.equal(data?.code, 250, domain);
      await until(`mail to ${domain}`, async () =>
        (await mailbox('bob')).some((text) => text.includes(`Subject: to ${domain}\n`)),
      );
    }
    const unknown = await send('nobody-here@new.example', 'unknown');
    assert.equal(unknown.recipients[0]?.code, 550);
    await saver.save({ domains: { names: names.filter((name) => name !== 'new.example') } });
    const away = await send('bob@new.example', 'not ours any more');
    assert.equal(away.recipients[0]?.code, 250);
    await sink.waitFor('not ours any more');
  });

  it('of Maildir, and back to mbox, decides where the next message lies', async () => {
    const maildir = `${root.places.root}/home/carol/Maildir/new`;
    await saver.saveBase({ mailboxFormat: 'maildir' });
    await send('carol@localhost', 'into the Maildir');
    await until('a file in the Maildir', () =>
      stat(maildir).then(
        () => true,
        () => false,
      ),
    );
    await saver.saveBase({ mailboxFormat: 'mbox' });
    await send('carol@localhost', 'into the mbox');
    await until('mail in the mbox', async () => (await mailbox('carol')).length === 1);
  });

  it('of "unknown recipients to the mail admin" brings their mail to postmaster', async () => {
    const result = await saver.saveBase({ unknownRecipient: 'admin' });
    assert.equal(result.status, 'applied');
    const { data } = await send('nobody-here@q', 'for the admin');
    assert.equal(data?.code, 250);
    await until('mail for root', async () =>
      (await mailbox('root')).some((text) => text.includes('Subject: for the admin\n')),
    );
    await send('dave@q', 'dave has a mailbox');
    await until('mail for dave', async () => (await mailbox('dave')).length === 1);
    await saver.saveBase({ unknownRecipient: 'refuse' });
    assert.equal((await send('nobody-here@q', 'refused')).recipients[0]?.code, 550);
  });

  it('does not overwrite a hand edit, unless the person agreed to this very one', async () => {
    await byHand('myhostname=by-hand.example');
    const settings = { base: { ...(await saver.base()), mailServerName: 'mx2.example.org' } };
    await assert.rejects(saver.save(settings), (error) => {
      assert.ok(error instanceof HelperError);
      assert.deepEqual([error.stage, error.key], ['drift', 'helper.drift.edited']);
      assert.equal(error.values['names'], 'myhostname');
      assert.match(error.detail, /^- mx1\.example\.org\n\+ by-hand\.example$/m);
      return true;
    });
    assert.match(await readFile(file('main.cf'), 'utf8'), /^myhostname = by-hand\.example$/m);
    const [edit] = await root.helper.call('drift', {}, { actor: 'test' });
    assert.ok(edit);
    assert.deepEqual(
      [edit.name, edit.ours, edit.theirs],
      [...['myhostname', 'mx1.example.org', 'by-hand.example']],
    );
    await byHand('myhostname=edited-again.example');
    await assert.rejects(saver.save(settings, { overwrite: { myhostname: edit.digest } }));
    const [newer] = await root.helper.call('drift', {}, { actor: 'test' });
    assert.ok(newer);
    await saver.save(settings, { overwrite: { myhostname: newer.digest } });
    assert.match(await readFile(file('main.cf'), 'utf8'), /^myhostname = mx2\.example\.org$/m);
    assert.deepEqual(await root.helper.call('drift', {}, { actor: 'test' }), []);
  });

  it('refuses a number it has had with other settings, an older one, and another database', async () => {
    const { databaseId, change } = saver;
    const repeat = async (more: object, settings: object) => {
      const base = { ...(await saver.base()), ...settings };
      const params = { databaseId, change, dryRun: false, sections: { base }, ...more };
      return root.helper.call('apply', params, { actor: 'test' });
    };
    const refusal = (key: string) => (error: unknown) =>
      error instanceof HelperError && error.stage === 'validate' && error.key === key;
    assert.equal(
      (await repeat({}, {})).status,
      'applied',
      'the very same is told again what was done',
    );
    const outdated = refusal('helper.validate.outdated');
    await assert.rejects(repeat({}, { mailServerName: 'evil.example' }), outdated);
    await assert.rejects(repeat({ change: change - 1 }, {}), outdated);
    const foreign = { databaseId: '00000000-0000-4000-8000-000000000000', change: change + 9 };
    await assert.rejects(repeat(foreign, {}), refusal('helper.validate.foreignDatabase'));
    assert.equal((await repeat({ ...foreign, adopt: true }, {})).status, 'unchanged');
    saver = new Saver(createHelper(root.transport));
    await assert.rejects(saver.saveBase({}), refusal('helper.validate.foreignDatabase'));
    await saver.save({ base: await saver.base() }, { adopt: true });
  });

  it('keeps bytes that are no UTF-8, and a last line without an end', async () => {
    const text = await readFile(file('main.cf'));
    const odd = Buffer.concat([
      Buffer.from('# gr\xf6\xdfer\n', 'latin1'),
      text,
      Buffer.from('# end'),
    ]);
    await writeFile(file('main.cf'), odd);
    const then = Date.now() / 1000 - 60;
    await utimes(file('main.cf'), then, then);
    await saver.saveBase({ mailServerName: 'mx3.example.org' });
    const after = (await readFile(file('main.cf'))).toString('latin1');
    const expected = odd
      .toString('latin1')
      .replace(/^myhostname = .*$/m, 'myhostname = mx3.example.org');
    assert.equal(after, `${expected}\n`);
  });

  describe('of delivery by LMTP', () => {
    let dovecot: Dovecot;
    before(async () => {
      dovecot = await startDovecot(root);
    });
    after(() => dovecot.stop());

    const arrives = (login: string, subject: string) =>
      until(`"${subject}" for ${login}`, async () =>
        (await dovecot.messages(login)).some((text) => text.includes(`Subject: ${subject}`)),
      );

    it('brings mail of known users into a real Dovecot, and refuses the unknown', async () => {
      await saver.saveBase({ delivery: 'lmtp', lmtpHost: '127.0.0.1', lmtpPort: dovecot.port });
      await send('erika@q', 'by LMTP');
      await arrives('erika', 'by LMTP');
      assert.deepEqual(await mailbox('erika'), []);
      assert.equal((await send('nobody-here@q', 'refused')).recipients[0]?.code, 550);
    });

    it('brings mail for unknown users to the mail admin there', async () => {
      await saver.saveBase({ unknownRecipient: 'admin' });
      assert.equal((await send('nobody-here@q', 'for the admin')).data?.code, 250);
      await arrives('root', 'for the admin');
      await send('erika@q', 'still by LMTP');
      await arrives('erika', 'still by LMTP');
      assert.deepEqual(await saver.saveBase({}).then(({ status }) => status), 'unchanged');
    });

    it('is saved although the server does not answer, which is told', async () => {
      await dovecot.stop();
      const result = await saver.saveBase({ unknownRecipient: 'refuse' });
      const step = result.proof.find(({ key }) => key === 'proof.lmtp');
      assert.deepEqual([step?.ok, step?.tolerated], [false, true]);
      await saver.saveBase({ delivery: 'system' });
      await send('erika@q', 'back in the mailbox');
      await until('mail for erika', async () => (await mailbox('erika')).length === 1);
    });
  });
});

/** A message of so many bytes as they cross the wire, that ends with a line that says how many. */
function messageOf(bytes: number): string {
  const head = 'From: <a@b.example>\r\nSubject: size\r\n\r\n';
  const end = `end of ${bytes}\r\n`;
  const width = 80;
  const room = bytes - head.length - end.length;
  const lines = `${'x'.repeat(width - 2)}\r\n`.repeat(Math.floor(room / width) - 1);
  return `${head}${lines}${'y'.repeat(room - lines.length - 2)}\r\n${end}`;
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.size ?? 0;
}
