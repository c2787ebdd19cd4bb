/** Real mail through every kind of alias, saved on the pages of a lab. */
import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { ConsoleClient } from '../support/console-client.js';
import { startLab, type Lab } from '../support/lab.js';
import { until } from '../support/wait.js';

const ADD = '/mail/aliases/new';

describe('mail aliases', () => {
  let lab: Lab;
  let client: ConsoleClient;
  let serial = 0;

  before(async () => {
    lab = await startLab();
    client = await lab.signIn();
    const domains = '/mail/configuration/domains';
    await client.submit(domains, { name: 'example.org' }, { action: domains });
  });
  after(() => lab.stop());

  const save = (name: string, targets: string, more: Record<string, string> = {}) =>
    client.submit(ADD, { name, targets, enabled: '1', ...more }, { action: ADD });

  /** Changes an alias that is there. */
  async function change(name: string, typed: Record<string, string>): Promise<void> {
    const { html } = await client.get(`/mail/aliases?q=${name}`);
    const href = /\/mail\/aliases\/\d+/.exec(html)?.[0] ?? assert.fail(`no alias ${name}`);
    const answer = await client.submit(href, typed, { action: href });
    assert.equal(answer.status, 200, answer.text);
  }

  /** Sends a mail and gives its subject once the server took it. */
  async function sent(to: string): Promise<string> {
    serial += 1;
    const subject = `alias-mail-${serial}-end`;
    const { data, recipients } = await lab.sendMail({ from: 'x@example.net', to, subject });
    assert.equal(data?.code, 250, `${to}: ${recipients[0]?.text ?? ''} ${data?.text ?? ''}`);
    return subject;
  }

  async function refused(to: string): Promise<boolean> {
    const { recipients } = await lab.sendMail({ from: 'x@example.net', to });
    return (recipients[0]?.code ?? 0) >= 500;
  }

  it('deliver to several people, also under an extension', async () => {
    assert.equal(await refused('office@example.org'), true);
    const page = await save('office', 'alice bob');
    assert.match(page.text, /office/);
    for (const to of ['office@example.org', 'OFFICE+news@example.org']) {
      const subject = await sent(to);
      await lab.waitForMail('alice', subject);
      await lab.waitForMail('bob', subject);
    }
  });

  it('are refused on the form when they would go in circles, and nothing is saved', async () => {
    await save('one', 'office');
    await save('two', 'one');
    const form = await client.get('/mail/aliases?q=one');
    const href = /\/mail\/aliases\/\d+/.exec(form.html)?.[0] ?? assert.fail('no alias');
    const answer = await client.submit(href, { targets: 'two' }, { action: href });
    assert.equal(answer.status, 422);
    await lab.waitForMail('alice', await sent('two@example.org'));
  });

  it('that are switched off take no mail, until they are switched on again', async () => {
    await save('press', 'alice');
    await lab.waitForMail('alice', await sent('press@example.org'));
    await change('press', { enabled: '' });
    assert.equal(await refused('press@example.org'), true);
    await change('press', { enabled: '1' });
    await lab.waitForMail('alice', await sent('press@example.org'));
  });

  it('that hide a mailbox are asked about, and deliver to it too when told', async () => {
    const asked = await save('carol', 'dave');
    assert.equal(asked.status, 422);
    const own = await sent('carol@example.org');
    await lab.waitForMail('carol', own);
    const saved = await client.send(asked, { sure: '1' }, { action: ADD });
    assert.equal(saved.status, 200, saved.text);
    const hidden = await sent('carol@example.org');
    await lab.waitForMail('dave', hidden);
    await change('carol', { targets: 'dave carol' });
    const both = await sent('carol@example.org');
    await lab.waitForMail('carol', both);
    await lab.waitForMail('dave', both);
    assert.ok(!(await lab.mailbox('carol')).some((mail) => mail.includes(hidden)));
  });

  it('whose target is renamed or deleted on the machine are told on the list and the overview', async () => {
    const file = `${lab.root}/etc/passwd`;
    const before = await readFile(file, 'utf8');
    const line = (login: string): string => `${login}:x:23001:100:Leo:/home:/usr/sbin/nologin\n`;
    const told = async (there: boolean): Promise<void> => {
      const list = await client.get('/mail/aliases?state=trouble');
      assert.equal(/music/.test(list.text), there, list.text);
      const { text } = await client.get('/mail/');
      assert.equal(/One alias leads to somebody who does not exist/.test(text), there, text);
    };
    /** What is known of the users and of the aliases is brought up to date in the background. */
    const toldAtLast = (there: boolean) =>
      until(`the dead target ${there ? 'to be told' : 'not to be told any more'}`, () =>
        told(there).then(
          () => true,
          () => false,
        ),
      );
    await appendFile(file, line('leo'));
    await until(
      'the new user to be known',
      async () => (await save('music', 'leo')).status === 200,
    );
    await lab.waitForMail('leo', await sent('music@example.org'));
    await toldAtLast(false);
    await writeFile(file, before + line('leonie'));
    await toldAtLast(true);
    await change('music', { targets: 'leonie' });
    await toldAtLast(false);
    await lab.waitForMail('leonie', await sent('music@example.org'));
    await writeFile(file, before);
    await toldAtLast(true);
    await change('music', { targets: 'alice' });
  });

  it('for unknown recipients leave every mailbox, system alias and other alias alone', async () => {
    await save('@example.org', 'juergen');
    await lab.waitForMail('juergen', await sent('nobody-here@example.org'));
    await lab.waitForMail('erika', await sent('erika@example.org'));
    await lab.waitForMail('erika', await sent('erika+list@example.org'));
    await lab.waitForMail('alice', await sent('office@example.org'));
    await lab.waitForMail('root', await sent('postmaster@example.org'));
    assert.equal((await lab.mailbox('juergen')).length, 1);
  });

  it('with a target nobody has are asked about before they are saved', async () => {
    const asked = await save('jobs', 'claire@localhost');
    assert.equal(asked.status, 422);
    assert.match(asked.text, /claire@localhost/);
    const found = await client.get('/mail/aliases?q=jobs');
    assert.doesNotMatch(found.html, /\/mail\/aliases\/\d+/);
  });

  it('that look like a domain capture nothing', async () => {
    await save('partner.example', 'alice');
    const { recipients } = await lab.sendMail({ from: 'x@example.net', to: 'x@partner.example' });
    assert.equal(recipients[0]?.code, 250, 'from this machine mail goes out');
    const log = await lab.mailLog();
    assert.doesNotMatch(log, /partner\.example.*User unknown in virtual alias table/);
    assert.doesNotMatch(await lab.postconf('virtual_alias_domains'), /aliases/);
  });

  const wrong: readonly (readonly [name: string, targets: string])[] = [
    ['|/bin/sh', 'alice'],
    ['new', '|/bin/sh'],
    ['new', '/etc/passwd'],
    ['new', ':include:/etc/shadow'],
    ['office', 'alice'],
    ['', 'alice'],
    ['new', ''],
    ['@nowhere.example', 'alice'],
  ];
  for (const [name, targets] of wrong) {
    it(`are refused as ${JSON.stringify(name)} to ${JSON.stringify(targets)}`, async () => {
      const answer = await save(name, targets);
      assert.equal(answer.status, 422);
    });
  }
});
