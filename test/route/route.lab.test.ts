/** Real mail through every kind of alias, to outside as well, beside what the page says of its way. */
import assert from 'node:assert/strict';
import {
  appendFile,
  chmod,
  chown,
  link,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DOMAIN, playRound } from '../support/alias-rounds.js';
import type { ConsoleClient } from '../support/console-client.js';
import { startLab, type Lab } from '../support/lab.js';
import { startSmtpSink, type SmtpSink } from '../support/smtp-sink.js';
import { SmtpClient } from '../support/smtp-client.js';
import { until } from '../support/wait.js';

const ADD = '/mail/aliases/new';
/** Rounds of random aliases; `bench/routes.ts` plays more. */
const ROUNDS = 3;

describe('where mail would go', () => {
  let lab: Lab;
  let client: ConsoleClient;
  let sink: SmtpSink;

  before(async () => {
    sink = await startSmtpSink();
    lab = await startLab();
    client = await lab.signIn();
    const domains = '/mail/configuration/domains';
    await client.submit(domains, { name: DOMAIN }, { action: domains });
    const smarthost = '/mail/configuration/smarthost';
    const saved = await client.submit(
      smarthost,
      { host: '127.0.0.1', port: String(sink.port), tls: 'none' },
      { action: smarthost, button: 'intent=save' },
    );
    assert.equal(saved.status, 200, saved.text);
  });
  after(async () => {
    await lab.stop();
    await sink.stop();
  });

  const save = async (name: string, targets: string): Promise<void> => {
    const typed = { name, targets, enabled: '1', sure: '1' };
    const page = await client.get(ADD);
    const token = /name="_csrf" value="([^"]+)"/.exec(page.html)?.[1] ?? '';
    const body = new URLSearchParams({ _csrf: token, version: '0', intent: 'save', ...typed });
    assert.equal((await client.request('POST', ADD, body)).status, 303, name);
  };
  const wayOf = (address: string) =>
    client.get(`/mail/route?address=${encodeURIComponent(address)}`);

  const readSystem = async (): Promise<void> => {
    const { html } = await client.get('/mail/aliases');
    const token = /name="_csrf" value="([^"]+)"/.exec(html)?.[1] ?? '';
    const body = new URLSearchParams({ _csrf: token });
    assert.equal((await client.request('POST', '/mail/aliases/system', body)).status, 303);
  };

  /** A file in a user's home, or in everybody's for root. Random aliases are never called erika or juergen. */
  const ownFile = async (
    login: string,
    name: string,
    text: string,
    mode = 0o600,
  ): Promise<string> => {
    const file = `${lab.root}/home/${login === 'root' ? '' : `${login}/`}${name}`;
    await writeFile(file, text);
    await chmod(file, mode);
    const { uid, gid } = await stat(dirname(file));
    await chown(file, uid, gid);
    return file;
  };

  it('is told where the system’s own aliases turn in a circle, or hide a mailbox, as on their list', async () => {
    const file = `${lab.root}/etc/aliases`;
    const before = await readFile(file, 'utf8');
    const lines = [
      ...['ring-one: ring-two', 'ring-two: ring-one, erika', 'ring-three: ring-four'],
      ...['ring-four: ring-three', 'carol: juergen', 'dave: dave, erika', 'daemon: erika'],
    ];
    await writeFile(file, `${before}${lines.join('\n')}\n`);
    await readSystem();
    try {
      const { text: list } = await client.get('/mail/aliases');
      const ring = 'ring-one → ring-two → ring-one';
      assert.match(
        list,
        new RegExp(`ring-one ring-two system loop .* \\(${ring}\\) and comes back`),
      );
      assert.match(list, /carol juergen system hides a mailbox The mailbox of carol gets nothing/);
      assert.match(list, /dave dave, erika system (?!hides)/);
      assert.match(list, /daemon erika system (?!hides)/);

      const { text: way } = await wayOf('ring-one');
      assert.match(
        way,
        /Not all of the mail to ring-one@example.org arrives: a part goes in circles/,
      );
      assert.match(way, new RegExp(`loop in a circle in /etc/aliases \\(${ring}\\)`));
      assert.match(way, /The settings say the same/);
      const { text: round } = await wayOf('ring-four');
      assert.match(round, /Mail to ring-four@example.org goes in circles on this machine/);
      assert.match(round, /The settings say the same/);
      assert.match((await wayOf('carol')).text, /juergen@example.org mailbox/);

      const typed = { name: 'office', targets: 'ring-three', enabled: '1' };
      const refused = await client.submit(ADD, typed, { action: ADD });
      assert.equal(refused.status, 422);
      assert.match(refused.text, /ring-three → ring-four → ring-three/);

      const subjects = { ring: 'in-a-ring', hidden: 'past-carol', both: 'to-dave-too' };
      const mail = (to: string, subject: string) =>
        lab.sendMail({ from: 'x@example.net', to: `${to}@${DOMAIN}`, subject });
      await mail('ring-one', subjects.ring);
      await mail('carol', subjects.hidden);
      await mail('dave', subjects.both);
      await lab.waitForMail('erika', subjects.ring);
      await until('the circle to be sent back', async () =>
        /alias database loop for ring-/.test(await lab.mailLog()),
      );
      await lab.waitForMail('juergen', subjects.hidden);
      await lab.waitForMail('dave', subjects.both);
      assert.ok(!(await lab.mailbox('carol')).some((one) => one.includes(subjects.hidden)));
    } finally {
      await writeFile(file, before);
      await readSystem();
    }
  });

  it('is where random aliases really lead', async () => {
    for (let round = 1; round <= ROUNDS; round += 1) {
      assert.ok((await playRound(round, { lab, client, sink, random: Math.random })) > 8);
    }
  });

  it('is told of a chain that ends outside, and the smarthost takes it', async () => {
    await save('third', 'someone@far.example');
    await save('second', 'third');
    await save('first', `second@${DOMAIN}`);
    const { text } = await wayOf('first');
    assert.match(text, /The alias first leads first@example.org to second@example.org/);
    assert.match(text, /someone@far.example outside through the smarthost \[127.0.0.1\]/);
    await lab.sendMail({ from: 'x@example.net', to: `first@${DOMAIN}`, subject: 'to-the-far-end' });
    const { to } = await sink.waitFor('to-the-far-end');
    assert.deepEqual(to, ['someone@far.example']);
    await save(`whole@${DOMAIN}`, 'third');
    assert.match(
      (await wayOf(`whole@${DOMAIN}`)).text,
      /The alias whole@example.org leads to third/,
    );
  });

  it('is told for names in other scripts, and the mail goes there', async () => {
    await save('müller', 'juergen');
    assert.match((await wayOf('müller')).text, /juergen@example.org mailbox/);
    const [smtp] = await SmtpClient.open(lab.smtpPort);
    await smtp.command('EHLO client.example');
    assert.equal((await smtp.command('MAIL FROM:<x@example.net> SMTPUTF8')).code, 250);
    assert.equal((await smtp.command(`RCPT TO:<Müller+neu@${DOMAIN}>`)).code, 250);
    await smtp.command('DATA');
    assert.equal((await smtp.message('Subject: in-another-script\n\nHello\n')).code, 250);
    smtp.close();
    await lab.waitForMail('juergen', 'in-another-script');
  });

  it('is told for the system’s own aliases, users, strangers and nobody', async () => {
    assert.match((await wayOf('postmaster')).text, /The system’s own alias postmaster leads/);
    assert.match((await wayOf('erika')).text, /erika@example.org mailbox/);
    assert.match((await wayOf(`no-such-name@${DOMAIN}`)).text, /reaches nobody/);
    assert.match((await wayOf('a@far.example')).text, /through the smarthost/);
    assert.equal((await wayOf('no address')).status, 422);
    assert.equal((await wayOf('-oQ/tmp@example.org')).status, 422);
    assert.equal((await wayOf(`x@${DOMAIN}\nroot`)).status, 422);
  });

  it('follows a user’s own .forward file, and the mail goes there', async () => {
    const file = await ownFile(
      'erika',
      '.forward',
      '# away\nsomeone@far.example, \\erika\n"juergen"\n',
    );
    try {
      const { text } = await wayOf('erika+news');
      assert.match(text, /own file .forward leads erika\+news@example.org to someone@far.example/);
      assert.match(text, /someone@far.example outside through the smarthost/);
      assert.match(text, /erika@example.org mailbox/);
      assert.match(text, /juergen@example.org mailbox/);
      assert.match(text, /The settings say the same/);
      const to = `erika+news@${DOMAIN}`;
      await lab.sendMail({ from: 'x@example.net', to, subject: 'erika-is-away' });
      assert.deepEqual((await sink.waitFor('erika-is-away')).to, ['someone@far.example']);
      await lab.waitForMail('erika', 'erika-is-away');
      await lab.waitForMail('juergen', 'erika-is-away');
    } finally {
      await rm(file);
    }
  });

  it('says that mail comes back where users’ .forward files turn in a circle, as it does', async () => {
    const files = [
      await ownFile('erika', '.forward', 'juergen\n'),
      await ownFile('juergen', '.forward', 'erika\n'),
    ];
    try {
      const { text } = await wayOf('erika');
      assert.match(text, /Mail to erika@example.org goes in circles on this machine/);
      assert.match(text, /in a circle of .forward files \(erika → juergen → erika\)/);
      const to = `erika@${DOMAIN}`;
      await lab.sendMail({ from: `bob@${DOMAIN}`, to, subject: 'round-and-round' });
      const notice = await lab.waitForMail('bob', 'round-and-round');
      assert.match(notice, /mail forwarding loop/);
    } finally {
      for (const file of files) await rm(file);
    }
  });

  it('does not read through a .forward file what its user may not read', async () => {
    const secret = await ownFile('root', 'secret', 'secret@far.example\n');
    const file = `${lab.root}/home/juergen/.forward`;
    await symlink(secret, file);
    const shown = [(await wayOf('juergen')).text];
    await rm(file);
    await link(secret, file);
    shown.push((await wayOf('juergen')).text);
    await rm(file);
    await rm(secret);
    for (const text of shown) {
      assert.match(text, /juergen@example.org mailbox .*It is not followed here/);
      assert.doesNotMatch(text, /secret@far/);
    }
    const open = await ownFile('juergen', '.forward', 'somebody@far.example\n', 0o666);
    assert.match(
      (await wayOf('juergen')).text,
      /juergen@example.org mailbox .*Postfix passes it over/,
    );
    await lab.sendMail({ from: 'x@example.net', to: `juergen@${DOMAIN}`, subject: 'passed-over' });
    await lab.waitForMail('juergen', 'passed-over');
    await rm(open);
  });

  it('is what Postfix itself reports, and nobody gets a mail of it', async () => {
    const page = await wayOf('postmaster');
    const asked = await client.send(page, {}, { action: '/mail/route' });
    assert.equal(asked.status, 200);
    const report = await client.request(
      'POST',
      '/mail/route',
      new URLSearchParams({
        _csrf: /name="_csrf" value="([^"]+)"/.exec(page.html)?.[1] ?? '',
        address: 'postmaster',
      }),
    );
    assert.match(await report.text(), /delivers to mailbox/);
    const boxes = await lab.mailbox('root');
    assert.ok(!boxes.some((mail) => /Delivery Status Report/.test(mail)));
  });

  it('says when mail to outside takes another way than the settings say', async () => {
    assert.match((await wayOf('a@far.example')).text, /The settings say the same/);
    const file = `${lab.configDir}/main.cf`;
    const before = await readFile(file);
    await appendFile(file, '\nrelayhost = [edited.example]:587\n');
    try {
      const page = await wayOf('a@far.example');
      assert.match(page.text, /passed on to another server/);
      assert.match(page.text, /through the smarthost \[edited\.example\]:587/);
      assert.match(page.text, /The settings lead elsewhere/);
      assert.match(page.text, /a@far\.example \(through the smarthost \[127\.0\.0\.1\]/);
    } finally {
      await writeFile(file, before);
    }
  });

  it('says when the settings lead elsewhere than the running Postfix', async () => {
    const file = `${lab.configDir}/main.cf`;
    const before = await readFile(file);
    await save('agreed', 'kept@outside.example');
    await appendFile(file, '\nvirtual_alias_maps = inline:{agreed=bob@example.org}\n');
    try {
      const page = await until('the disagreement', async () => {
        const shown = await wayOf('agreed');
        return shown.text.includes('The settings lead elsewhere') ? shown : undefined;
      });
      assert.match(page.text, /kept@outside\.example \(through the smarthost/);
      assert.match(page.html, /href="\/mail\/differences"/);
      assert.doesNotMatch(page.text, /Some tables did not answer/);
    } finally {
      await writeFile(file, before);
    }
  });
});
