/** The quarantine's pages over the real amavis: what it kept back is shown, released and deleted, and the trace tells of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { migrateMail } from '../../lib/database/mail-schema.js';
import { TEST_SPAM, TEST_VIRUS } from '../../lib/privileged/apply/scan-proof.js';
import { QUARANTINE_FOLDER } from '../../lib/security/places.js';
import { SECURITY_DEFAULTS } from '../../lib/security/schema.js';
import { ConsoleClient, type Page } from '../support/console-client.js';
import { createDummyHost, type DummyHost } from '../support/dummy-host.js';
import { readMbox } from '../support/mailbox.js';
import { openMemoryDatabase, type MemoryDatabase } from '../support/memory-database.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { Saver } from '../support/saver.js';
import { SmtpClient } from '../support/smtp-client.js';
import { htmlProblems } from '../support/valid-html.js';
import { until } from '../support/wait.js';

const PATH = '/mail/security/quarantine';

describe('the quarantine', () => {
  let root: PostfixRoot;
  let saver: Saver;
  let database: MemoryDatabase;
  let host: DummyHost;
  let server: Server;
  let client: ConsoleClient;

  const folder = (): string => root.places.root + QUARANTINE_FOLDER;
  const files = async (): Promise<readonly string[]> => (await readdir(folder())).sort();
  const inbox = async (user: string, subject: string): Promise<string[]> =>
    (await readMbox(`${root.places.mailboxes}/${user}`)).filter((mail) => mail.includes(subject));
  const send = async (subject: string, body: string, to: readonly string[]): Promise<void> => {
    const [smtp] = await SmtpClient.open(root.smtpPort);
    await smtp.command('EHLO client.example');
    await smtp.command('MAIL FROM:<stranger@client.example>');
    for (const one of to) await smtp.command(`RCPT TO:<${one}@lab.test>`);
    await smtp.command('DATA');
    // Whoever writes the mail must not choose who gets it when it is released.
    const forged = 'X-Envelope-To-Blocked: <dave@lab.test>\r\nX-Envelope-To: <dave@lab.test>';
    const header = `From: =?utf-8?q?J=C3=BCrgen_<b>?= <x@client.example>\r\nSubject: ${subject}`;
    const answer = await smtp.message(
      `${forged}\r\n${header}\r\nMessage-ID: <${subject}@c>\r\n\r\n${body}\r\n.dot\r\n`,
    );
    assert.equal(answer.code, 250, answer.text);
    smtp.close();
  };
  /** The id of the mail with this subject, once the list shows it. */
  const listed = (subject: string): Promise<string> =>
    until(`"${subject}" in the list`, async () => {
      const { html } = await client.get(`${PATH}?q=${subject}`);
      return /<tr id="m-([^"]+)"/.exec(html)?.[1];
    });
  const press = (page: Page, button: string, typed = {}): Promise<Page> =>
    client.send(page, typed, { button });
  const outcome = (page: Page): Promise<Page> =>
    until('the job to end', async () => {
      const now = await client.get(new URL(page.url).pathname);
      return now.html.includes('<progress') ? null : now;
    });

  before(async () => {
    [root, database] = await Promise.all([startPostfixRoot(), openMemoryDatabase()]);
    await migrateMail(database.db);
    saver = new Saver(root.helper);
    await saver.save({ domains: { names: ['lab.test'] } });
    await saver.save({
      security: { ...SECURITY_DEFAULTS, spam: true, virus: true, keepLevel: 100 },
    });
    host = createDummyHost({ db: database.db, helper: root.transport });
    server = host.app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = new ConsoleClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await send('gtube-a', TEST_SPAM, ['alice', 'bob']);
    await send('eicar-a', TEST_VIRUS, ['alice']);
    await listed('gtube-a');
    await listed('eicar-a');
  });
  after(async () => {
    server.close();
    server.closeAllConnections();
    await host.plugin.close();
    await database.close();
    await root.stop();
  });

  it('lists what was kept back, with the reason', async () => {
    const page = await client.get(PATH);
    assert.match(page.text, /2 mails are kept back here/);
    assert.match(page.text, /Taken for spam, [\d,.]+ points/);
    assert.match(page.text, /Virus/);
    assert.match(page.text, /alice@lab\.test.*bob@lab\.test/s);
    assert.deepEqual(await htmlProblems(page.html), []);
    const only = await client.get(`${PATH}?kind=virus`);
    assert.doesNotMatch(only.text, /gtube-a/);
  });

  it('shows one as text, with the tests that found something', async () => {
    const id = await listed('gtube-a');
    const page = await client.get(`${PATH}/${id}`);
    assert.match(page.text, /GTUBE/);
    assert.match(page.text, /Jürgen <b/);
    assert.ok(!page.html.includes('Jürgen <b'));
    assert.match(page.html, /href="\/mail\/trace\?messageId=/);
    assert.deepEqual(await htmlProblems(page.html), []);
    const raw = await client.request('GET', `${PATH}/${id}/raw`);
    assert.match(raw.headers.get('content-disposition') ?? '', /^attachment; filename="spam-/);
  });

  it('is told by the trace and among the refusals', async () => {
    const trace = await until('the trace to know', async () => {
      const fresh = String(Math.floor(Date.now() / 1000));
      const page = await client.get(`/mail/trace?messageId=eicar-a&fresh=${fresh}`);
      return /kept back by the content filter/.test(page.text) ? page : null;
    });
    assert.match(trace.text, /The content filter kept the mail to alice@lab\.test back/);
    await until('the refusals to tell both', async () => {
      const { text } = await client.get('/mail/security/refusals');
      return /A virus/.test(text) && /Taken for spam/.test(text);
    });
  });

  it('releases mail so that it arrives once, for those it was kept from, and is not caught again', async () => {
    const id = await listed('gtube-a');
    const page = await press(await client.get(`${PATH}/${id}`), `one=release ${id}`);
    assert.match((await outcome(page)).text, /One mail is on its way/);
    for (const user of ['alice', 'bob']) {
      const [mail = ''] = await until(`the mail of ${user}`, async () => {
        const found = await inbox(user, 'Subject: gtube-a');
        return found.length > 0 ? found : null;
      });
      assert.match(mail, /^\.dot$/m, 'as it was written');
      assert.doesNotMatch(mail, /X-Quarantine-ID/);
      assert.equal((await inbox(user, 'Subject: gtube-a')).length, 1);
    }
    assert.deepEqual(await inbox('dave', 'gtube-a'), [], 'not who the mail itself names');
    assert.ok(!(await files()).includes(id));
    assert.match((await client.get(PATH)).text, /One mail is kept back/);
  });

  it('releases a virus only after a second yes', async () => {
    const id = await listed('eicar-a');
    const question = await press(await client.get(`${PATH}/${id}`), `one=release ${id}`);
    assert.match(question.text, /This mail holds a virus/);
    assert.deepEqual(await htmlProblems(question.html), []);
    const again = await client.send(question, { evenInfected: null });
    assert.equal(again.status, 422);
    assert.match(again.text, /Tick the box/);
    assert.ok((await files()).includes(id));
    const { failures } = await root.helper.call(
      'quarantine-act',
      { action: 'release', evenInfected: false },
      { actor: 'test', input: [[id]] },
    );
    assert.equal(failures[0]?.why, 'infected');
    const done = await client.send(again, { evenInfected: 'yes' });
    assert.match((await outcome(done)).text, /One mail is on its way/);
    await until('the virus', async () => (await inbox('alice', 'Subject: eicar-a')).length === 1);
  });

  it('releases once what two release at once, and to all its recipients, however many', async () => {
    // As long as the header of a mail to a thousand is.
    const blanks = ' '.repeat(40_000);
    const recipients = `<alice@lab.test>,\n${blanks}<bob@lab.test>`;
    const front = `X-Envelope-From: <>\nX-Envelope-To: ${recipients}\n`;
    await writeFile(`${folder()}/spam-wideWideWide`, `${front}Subject: wide\n\nx\n`);
    await writeFile(`${folder()}/virus-broken00000.gz`, 'not packed');
    await until('both in the list', async () => {
      const { html } = await client.get(PATH);
      return html.includes('m-virus-broken00000.gz') && html.includes('m-spam-wideWideWide');
    });
    const release = () =>
      root.helper.call(
        'quarantine-act',
        { action: 'release', evenInfected: false },
        { actor: 'test', input: [['spam-wideWideWide']] },
      );
    const ends = await Promise.all([release(), release()]);
    assert.deepEqual(
      ends.map(({ done, gone }) => [done, gone]).sort((a, b) => Number(b[0]) - Number(a[0])),
      [
        [1, 0],
        [0, 1],
      ],
      JSON.stringify(ends),
    );
    await until('the mail', async () => (await inbox('bob', 'Subject: wide')).length > 0);
    assert.equal((await inbox('bob', 'Subject: wide')).length, 1);
    await rm(`${folder()}/virus-broken00000.gz`);
  });

  it('deletes more than a form has fields after a question, takes no names but those of kept mail, follows no links', async () => {
    const kept =
      'X-Envelope-From: <a@b.example>\nX-Envelope-To: <alice@lab.test>\nSubject: old\n\nx\n';
    for (let at = 0; at < 1_100; at += 1) {
      await writeFile(`${folder()}/spam-many${String(at).padStart(8, '0')}`, kept);
    }
    await writeFile(`${folder()}/../secret`, kept);
    await symlink('../secret', `${folder()}/spam-linklinklink`);
    await until('the list to be new', async () =>
      /1,100 mails/.test((await client.get(PATH)).text),
    );
    for (const id of ['spam-linklinklink', '..%2Fsecret', 'spam-..', 'virus-%00aaaaaaa']) {
      assert.equal((await client.get(`${PATH}/${id}`)).status, 404, id);
    }
    await assert.rejects(
      root.helper.call(
        'quarantine-act',
        { action: 'delete', evenInfected: false },
        { actor: 'test', input: [['../secret']] },
      ),
    );
    const page = await client.get(PATH);
    const none = await press(page, 'action=delete', { ids: null, all: '' });
    assert.equal(none.status, 422);
    const question = await press(page, 'action=delete', { ids: null, all: 'filter' });
    assert.match(question.text, /Delete these 1,100 mails\?/);
    const done = await outcome(await client.send(question, {}));
    assert.match(done.text, /1,100 mails were deleted/);
    assert.deepEqual(await files(), ['spam-linklinklink']);
  });

  it('teaches SpamAssassin what was no spam, delivered, and what was', async () => {
    const front = 'X-Envelope-From: <a@b.example>\nX-Envelope-To: <alice@lab.test>\n';
    const words = 'Minutes of the beekeepers, honey harvest and frames for the coming spring.';
    for (const [name, subject] of [
      ['spam-notspamNotSp', 'honey'],
      ['spam-realspamReal', 'lottery'],
    ] as const) {
      const body = `From: a@b.example\nSubject: ${subject}\nMessage-ID: <${subject}@c>\n\n${words} ${subject}\n`;
      await writeFile(`${folder()}/${name}`, front + body);
    }
    const act = async (action: string, id: string): Promise<string> => {
      await until('it in the list', async () => (await client.get(PATH)).html.includes(`m-${id}`));
      const page = await press(await client.get(`${PATH}/${id}`), `one=${action} ${id}`);
      return (await outcome(page)).text;
    };
    assert.match(await act('ham', 'spam-notspamNotSp'), /One mail is on its way.*learnt/);
    await until('the mail', async () => (await inbox('alice', 'Subject: honey')).length === 1);
    assert.match(await act('spam', 'spam-realspamReal'), /learnt from one mail/);
    assert.ok((await files()).includes('spam-realspamReal'), 'learning takes nothing away');
    const dump = await root.run('/usr/bin/sa-learn', [
      ...['--dbpath', `${root.places.root}/var/lib/amavis/.spamassassin/bayes`],
      ...['--dump', 'magic'],
    ]);
    assert.match(dump.stdout, / 1 +0 +non-token data: nspam\b/, dump.stdout + dump.stderr);
    assert.match(dump.stdout, / 1 +0 +non-token data: nham\b/);
  });

  it('teaches it many at once, each of which counts, and tells which could not be learnt', async () => {
    const names = Array.from(
      { length: 30 },
      (_, at) => `spam-manymany${String(at).padStart(2, '0')}Xx`,
    );
    const front = 'X-Envelope-From: <a@b.example>\nX-Envelope-To: <alice@lab.test>\n';
    for (const [at, name] of names.entries()) {
      const header = `From: a@b.example\nSubject: pills ${at}\nMessage-ID: <pills-${at}@c>`;
      await writeFile(`${folder()}/${name}`, `${front}${header}\n\nBuy pills number ${at} now\n`);
    }
    const params = { action: 'spam', evenInfected: false } as const;
    const ids = [...names, 'spam-notThereXxYy', 'virus-notToLearnXx'];
    const result = await root.helper.call('quarantine-act', params, {
      actor: 'test',
      input: [ids],
    });
    const { done, gone, failed } = result;
    assert.deepEqual({ done, gone, failed }, { done: 30, gone: 1, failed: 1 });
    assert.deepEqual(
      result.failures.map(({ id, why }) => [id, why]),
      [['virus-notToLearnXx', 'virusSpam']],
    );
    const dump = await root.run('/usr/bin/sa-learn', [
      ...['--dbpath', `${root.places.root}/var/lib/amavis/.spamassassin/bayes`],
      ...['--dump', 'magic'],
    ]);
    assert.match(dump.stdout, / 31 +0 +non-token data: nspam\b/, dump.stdout + dump.stderr);
    for (const name of names) await rm(`${folder()}/${name}`);
  });

  it('deletes what is older than was chosen', async () => {
    for (const [name, days] of [
      ['spam-oldoldoldold', 8],
      ['spam-newnewnewnew', 6],
    ] as const) {
      await writeFile(`${folder()}/${name}`, 'Subject: x\n\n');
      const then = Date.now() / 1000 - days * 86_400;
      await utimes(`${folder()}/${name}`, then, then);
    }
    const page = await client.submit(PATH, { days: '7' });
    assert.match(page.text, /deleted by itself after 7 days/);
    const left = await files();
    assert.ok(!left.includes('spam-oldoldoldold') && left.includes('spam-newnewnewnew'));
    const wrong = await client.submit(PATH, { days: '3' });
    assert.equal(wrong.status, 422);
  });

  it('delivers also when nothing is scanned any more, and so nobody listens behind the scanners', async () => {
    await saver.save({ security: SECURITY_DEFAULTS });
    const front = 'X-Envelope-From: <a@b.example>\nX-Envelope-To: <bob@lab.test>\n';
    await writeFile(`${folder()}/spam-afterwardsAft`, `${front}Subject: afterwards\n\nx\n`);
    const { done, failures } = await root.helper.call(
      'quarantine-act',
      { action: 'release', evenInfected: false },
      { actor: 'test', input: [['spam-afterwardsAft']] },
    );
    assert.equal(done, 1, JSON.stringify(failures));
    await until('the mail', async () => (await inbox('bob', 'Subject: afterwards')).length === 1);
  });
});
