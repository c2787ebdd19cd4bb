/** The daily work in a text browser: every word is read on the screen, every field filled key by key. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startLab, type Lab } from '../support/lab.js';
import { startSmtpSink, type SmtpSink } from '../support/smtp-sink.js';
import { TextBrowser } from '../support/text-browser.js';

const NAME = 'mail.text.example';

describe('in a text browser', () => {
  let lab: Lab;
  let sink: SmtpSink;
  let browser: TextBrowser;
  let kept: string;

  before(async () => {
    [lab, sink] = await Promise.all([startLab(), startSmtpSink()]);
    browser = await TextBrowser.open(lab.url);
  });
  after(async () => {
    await browser.close();
    await sink.stop();
    await lab.stop();
  });

  it('one signs in', async () => {
    const { user, password } = await lab.facts();
    await browser.fill('User name', user);
    await browser.fill('Password', password);
    await browser.press('Sign in');
    await browser.waitForAtLast('The mail server is running.', 'Check again');
  });

  it('one is told what is wrong with a name, and nothing is changed', async () => {
    kept = await lab.postconf('myhostname');
    await browser.press('Configuration');
    await browser.fill('Leave it empty to use the machine’s own name.', 'mail server.example');
    await browser.press('Save');
    const screen = await browser.waitFor('Nothing was saved. One entry needs your attention.');
    assert.match(screen, /Mail server name: .*mail server\.example/);
    assert.match(screen, /\[\d+\]mail server\.example_/, 'what was typed still stands there');
    assert.equal(await lab.postconf('myhostname'), kept);
  });

  it('one sees what the right name would change before it is so', async () => {
    await browser.fill('Leave it empty to use the machine’s own name.', NAME);
    await browser.press('Preview');
    const screen = await browser.waitFor('Nothing has been saved yet.');
    assert.match(screen, new RegExp(`Mail server name .*${NAME.replaceAll('.', '\\.')}`));
    assert.equal(await lab.postconf('myhostname'), kept);
  });

  it('one saves it', async () => {
    await browser.press('Save');
    await browser.waitFor('It is in force since');
    assert.equal(await lab.postconf('myhostname'), NAME);
  });

  it('one names a server for mail to outside, which sees the new name', async () => {
    await browser.press('Smarthost');
    await browser.fill('Empty: mail goes straight to each recipient’s server.', '[127.0.0.1]');
    await browser.fill('25 only without login.', String(sink.port));
    await browser.choose('None Only for a server on your own network.');
    await browser.press('Save');
    await browser.waitFor('It is in force since');
    await lab.sendMail({ from: 'alice@localhost', to: 'somebody@outside.example' });
    assert.equal((await sink.waitFor()).helo, NAME);
  });

  it('one adds a domain, and mail to it arrives', async () => {
    await browser.press('Local domains');
    await browser.fill('such as example.com or müller.example.', 'text.example');
    await browser.press('Add the domain');
    await browser.waitFor('It is in force since');
    await lab.sendMail({ from: 'a@client.example', to: 'alice@text.example', subject: 'read it' });
    await lab.waitForMail('alice', 'Subject: read it');
  });

  it('one removes it again, asked first', async () => {
    await browser.pressIn('text.example', 'Remove…');
    await browser.waitFor('Remove the domain text.example?');
    assert.match(await lab.postconf('mydestination'), /\btext\.example\b/);
    await browser.press('Remove the domain');
    await browser.waitFor('It is in force since');
    assert.doesNotMatch(await lab.postconf('mydestination'), /\btext\.example\b/);
    await lab.sendMail({
      from: 'alice@localhost',
      to: 'alice@text.example',
      subject: 'on its way',
    });
    assert.deepEqual((await sink.waitFor('on its way')).to, ['alice@text.example']);
  });

  it('one signs out, and sees the page one asks for only after signing in again', async () => {
    await browser.press('Sign out');
    await browser.waitFor('User name');
    await browser.open(`${lab.url}/mail/configuration/base`);
    assert.doesNotMatch(await browser.waitFor('User name'), /Mail server name/);
    const { user, password } = await lab.facts();
    await browser.fill('User name', user);
    await browser.fill('Password', password);
    await browser.press('Sign in');
    assert.match(await browser.waitFor('Which name is right?'), new RegExp(`\\]${NAME}_`));
  });
});
