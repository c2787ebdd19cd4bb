/**
 * One walk: a new machine taken from nothing to working mail through the pages only, each step proved by real mail. The same
 * steps are done in a real browser and in a text browser; only the hand differs.
 */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { askAs } from '../../lib/privileged/apply/strangers.js';
import { SmtpDialogue } from '../../lib/privileged/smtp-dialogue.js';
import type { Hand } from '../support/hand.js';
import { startLab, type Lab } from '../support/lab.js';
import { startRemoteMailboxes, type RemoteMailboxes } from '../support/remote-mailboxes.js';
import { startSmtpSink, type SmtpSink } from '../support/smtp-sink.js';
import { until } from '../support/wait.js';

const DOMAIN = 'walk.example';
const OFFICE = { network: '192.168.44.0/24', machine: '192.168.44.7' } as const;
/** What every SpamAssassin takes for spam (Generic Test for Unsolicited Bulk Email). */
const GTUBE = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
/** Some of the lab's people, by login. */
const PEOPLE = { alice: 'Alice Anders', bob: 'Bob Baker', carol: 'Carol Clark' } as const;
const STRANGER = '203.0.113.77';
const LATER = { code: 450, text: '4.2.0 Greylisted, come again' };
/** How long the probe listener may take for an answer, in milliseconds. */
const ANSWER_LIMIT_MS = 60_000;

const SAVED = 'It is in force since';

/** Declares the steps; `start` opens the hand at the address of a console nobody has signed in to. */
export function walk(start: (url: string) => Promise<Hand>): void {
  let lab: Lab;
  let sink: SmtpSink;
  let remote: RemoteMailboxes;
  let hand: Hand;

  before(async () => {
    [lab, sink, remote] = await Promise.all([startLab(), startSmtpSink(), startRemoteMailboxes()]);
    hand = await start(lab.url);
  });
  after(async () => {
    await hand.close();
    await lab.stop();
    await sink.stop();
    await remote.stop();
  });

  it('signs in, and the overview says what there is to do', async () => {
    const { user, password } = await lab.facts();
    await hand.fill({ label: 'User name' }, user);
    await hand.fill({ label: 'Password' }, password);
    await hand.press('Sign in');
    await hand.see('has no mail domain of its own yet');
  });

  it('gives the machine a domain, and mail to it arrives', async () => {
    await hand.press('Configuration');
    await hand.press('Local domains');
    await hand.fill({ label: 'Domain', hint: 'such as example.com or müller.example.' }, DOMAIN);
    await hand.press('Add the domain');
    await hand.see(SAVED);
    await lab.sendMail({ from: 'a@client.example', to: `alice@${DOMAIN}`, subject: 'a domain' });
    await lab.waitForMail('alice', 'Subject: a domain');
  });

  it('names a smarthost, and mail to outside goes there', async () => {
    await hand.press('Smarthost');
    const server = {
      label: 'Server',
      hint: 'Empty: mail goes straight to each recipient’s server.',
    };
    await hand.fill(server, '[127.0.0.1]');
    await hand.fill({ label: 'Port', hint: '25 only without login.' }, String(sink.port));
    await hand.choose('None Only for a server on your own network.');
    await hand.press('Save');
    await hand.see(SAVED);
    await lab.sendMail({ from: `alice@${DOMAIN}`, to: 'b@far.example', subject: 'by smarthost' });
    assert.deepEqual((await sink.waitFor('by smarthost')).to, ['b@far.example']);
  });

  it('lets the office send without login, and nobody else', async () => {
    assert.ok((await sendFrom(lab, OFFICE.machine, 'too early')).code >= 400, 'not before');
    await hand.press('Open relay subnets');
    const network = { label: 'Network or address', hint: 'fd12:3456:789a::/48' };
    await hand.fill(network, OFFICE.network);
    await hand.press('Add');
    await hand.see(SAVED);
    assert.equal((await sendFrom(lab, OFFICE.machine, 'from the office')).code, 250);
    await sink.waitFor('from the office');
    assert.ok((await sendFrom(lab, STRANGER, 'from a stranger')).code >= 400, 'no stranger');
  });

  it('adds an alias for two people, and both get the mail', async () => {
    await hand.press('Mail aliases');
    await hand.press('Add alias');
    await hand.fill({ label: 'Mail to', hint: 'for the unknown recipients of a domain.' }, 'sales');
    await hand.choose('alice Alice Anders');
    await hand.choose('bob Bob Baker');
    await hand.press('Add the alias');
    await hand.see(SAVED);
    await lab.sendMail({ from: 'c@client.example', to: `sales@${DOMAIN}`, subject: 'an offer' });
    await lab.waitForMail('alice', 'Subject: an offer');
    await lab.waitForMail('bob', 'Subject: an offer');
  });

  it('fetches the mail of another provider', async () => {
    await remote.addUser('bob@provider.example', 'secret of bob');
    await remote.put('bob@provider.example', [
      'From: d@client.example\nTo: bob@provider.example\nSubject: from the provider\n\nHello.\n',
    ]);
    await hand.press('Fetch mail');
    await hand.press('Add query');
    await hand.fill({ label: 'Server name', hint: 'such as imap.example.com.' }, '127.0.0.1');
    const port = { label: 'Server port', hint: '995 with SSL/TLS, otherwise 110.' };
    await hand.fill(port, String(remote.ports.imap));
    await hand.choose('Not encrypted');
    const user = { label: 'Remote user', hint: 'often the whole e-mail address.' };
    await hand.fill(user, 'bob@provider.example');
    const password = { label: 'Remote password', hint: 'Every character counts, blanks too.' };
    await hand.fill(password, 'secret of bob');
    await hand.choose('bob Bob Baker');
    await hand.press('Save');
    await hand.see(SAVED);
    await lab.waitForMail('bob', 'Subject: from the provider');
  });

  it('writes to everybody who has a mailbox, and each gets it once', async () => {
    await hand.press('Bulk mail');
    await hand.press('Write a mailing');
    const from = { label: 'Sender address', hint: 'and mail that comes back, arrive there.' };
    await hand.fill(from, `alice@${DOMAIN}`);
    await hand.fill({ label: 'Subject' }, 'The server moves');
    const text = { label: 'Text of the message', hint: 'They work in the subject too.' };
    await hand.fill(text, 'Dear {name}, see you there.');
    await hand.press('Look at it first');
    await hand.see('Dear Alice Anders, see you there.');
    await hand.press('Send to');
    await hand.seeAtLast('The mailing is sent', 'Reload');
    for (const [login, name] of Object.entries(PEOPLE)) {
      await lab.waitForMail(login, `Dear ${name}, see you there.`);
    }
    for (const login of Object.keys(PEOPLE)) {
      const all = (await lab.mailbox(login)).filter((one) => one.includes('The server moves'));
      assert.equal(all.length, 1, login);
    }
  });

  it('switches spam protection on: spam is kept back, and other mail arrives', async () => {
    await hand.press('Security');
    await hand.see('Mail is not scanned.');
    await hand.press('SpamAssassin');
    await hand.choose('On Saving proves with a test mail that spam is found.');
    await hand.fill({ label: 'Do not deliver', hint: 'delivered, marked. Example: 12' }, '12');
    await hand.press('Save');
    await hand.see(SAVED);
    await lab.sendMail({ from: 'g@client.example', to: `bob@${DOMAIN}`, subject: 'no spam' });
    assert.match(await lab.waitForMail('bob', 'Subject: no spam'), /\(amavis, port \d+\)/);
    const spam = { subject: 'pure spam', body: GTUBE };
    await lab.sendMail({ from: 'h@client.example', to: `bob@${DOMAIN}`, ...spam });
    await until('the spam to be kept', async () =>
      /Ok, discarded, id=\S+ - spam/.test(await lab.mailLog()),
    );
    await hand.press('Quarantine');
    await hand.see('pure spam');
    assert.ok(!(await lab.mailbox('bob')).some((one) => one.includes('pure spam')));
  });

  it('finds a stuck mail, sees why, and sends it on its way', async () => {
    sink.change({ refuse: (stage) => (stage === 'recipient' ? LATER : null) });
    await lab.sendMail({ from: `bob@${DOMAIN}`, to: 'e@far.example', subject: 'stuck' });
    await until('the mail to be put off', async () =>
      (await lab.mailLog()).includes('to=<e@far.example>, relay=127.0.0.1'),
    );
    await hand.press('Mail queue');
    await hand.seeAtLast('Asked to come again (greylisting)', 'Refresh');
    sink.change({ refuse: () => null });
    await hand.press('Display');
    await hand.see('Download the mail');
    await hand.press('Deliver now');
    await hand.see('tried again now.');
    assert.deepEqual((await sink.waitFor('Subject: stuck')).to, ['e@far.example']);
  });

  it('takes a bad change back, and the mail that waited for it arrives', async () => {
    await hand.press('Configuration');
    await hand.choose('To a groupware server');
    await hand.fill({ label: 'LMTP host', hint: '127.0.0.1 is this machine.' }, '127.0.0.1');
    await hand.fill({ label: 'LMTP port', hint: 'from 1 to 65535.' }, '1');
    await hand.press('Save');
    await hand.see('does not answer right now. Mail for it waits in the queue');
    await lab.sendMail({ from: 'f@client.example', to: `carol@${DOMAIN}`, subject: 'it waits' });
    await until('the mail to be put off', async () =>
      /to=<carol@.* status=deferred/.test(await lab.mailLog()),
    );
    await hand.press('Take it back');
    await hand.see('taken back');
    await hand.press('Mail queue');
    await hand.seeAtLast('A mail service on this machine is not working', 'Refresh');
    await hand.press('Display');
    await hand.see('Download the mail');
    await hand.press('Deliver now');
    await hand.see('tried again now.');
    await lab.waitForMail('carol', 'Subject: it waits');
  });

  it('says at the end that mail is flowing, and the browser has nothing to complain about', async () => {
    await hand.press('Overview');
    await hand.seeAtLast('The mail server is running.', 'Check again');
    assert.deepEqual(hand.problems(), []);
  });
}

/** Sends a mail to outside as a machine of that address would; resolves with the first refusal, or the last answer. */
async function sendFrom(
  lab: Lab,
  address: string,
  subject: string,
): Promise<{ readonly code: number }> {
  const { queueDir } = await lab.facts();
  const socket = { path: `${queueDir}/private/mailserver-probe` };
  const { dialogue } = await SmtpDialogue.open(socket, ANSWER_LIMIT_MS);
  try {
    const answer = await askAs(dialogue, address, `printer@${DOMAIN}`);
    if (answer.code >= 400) return answer;
    const ready = await dialogue.say('DATA');
    if (ready.code !== 354) return ready;
    dialogue.push([`Subject: ${subject}`, '']);
    return await dialogue.say('.');
  } finally {
    await dialogue.close();
  }
}
