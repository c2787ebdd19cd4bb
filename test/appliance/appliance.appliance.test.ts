/**
 * A whole fresh appliance: README's first command, a save, a mail, a reboot, power cuts in the middle of a save. `npm test` takes
 * Debian 13, `npm run test:appliance` Debian 12.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { Appliance, RELEASE } from '../support/appliance.js';
import { ApplianceConsole, BASE } from '../support/appliance-console.js';
import { buildPackage, installPackage } from '../support/debian-package.js';
import { readMbox } from '../support/mailbox.js';
import { sendMail } from '../support/smtp-client.js';
import { until } from '../support/wait.js';

describe(`a fresh Debian (${RELEASE})`, () => {
  let appliance: Appliance;
  let console_: ApplianceConsole;

  before(async () => {
    appliance = await Appliance.start(RELEASE);
    console_ = new ApplianceConsole(appliance);
  });
  after(() => appliance.remove());

  it('is set up by the first command of README, which tells address and first login', async () => {
    const said = await appliance.must('npm', 'start');
    assert.match(said, /Address\s+http:\/\/127\.0\.0\.1:8025/);
    assert.match(said, /User\s+admin/);
    console_.password = /Password\s+(\S+)/.exec(said)?.[1] ?? '';
    assert.notEqual(console_.password, '');
    await console_.signIn();
  });

  it('runs console and helper as services that start at boot, and nothing has failed', async () => {
    const units = ['mailserver-console.service', 'mailserver-helper.socket', 'postfix.service'];
    assert.equal(
      (await appliance.run('systemctl', 'is-enabled', ...units)).output.trim(),
      'enabled\nenabled\nenabled',
    );
    assert.equal(
      (await appliance.run('systemctl', 'is-active', ...units)).output.trim(),
      'active\nactive\nactive',
    );
    assert.equal(
      await appliance.must('systemctl', 'list-units', '--failed', '--plain', '--no-legend'),
      '',
    );
  });

  it('has units in which systemd finds nothing to complain about', async () => {
    const units = ['console.service', 'fetch.service', 'helper.socket', 'helper@.service'];
    const files = units.map((unit) => `/etc/systemd/system/mailserver-${unit}`);
    assert.equal(await appliance.must('systemd-analyze', 'verify', '--man=no', ...files), '');
  });

  it('opens the way to the helper for the group of the console alone', async () => {
    const said = await appliance.must(
      'stat',
      '-c',
      '%a %U:%G',
      '/run/mailserver',
      '/run/mailserver/helper.sock',
    );
    assert.equal(said, '750 root:mailserver\n660 root:mailserver\n');
  });

  it('runs the console without root and without a way to it', async () => {
    const show = async (property: string): Promise<string> =>
      (
        await appliance.must('systemctl', 'show', '--value', '-p', property, 'mailserver-console')
      ).trim();
    const status = readFileSync(appliance.path(`/proc/${await show('MainPID')}/status`), 'utf8');
    const value = (name: string): string =>
      new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
    assert.doesNotMatch(value('Uid'), /\b0\b/);
    assert.doesNotMatch(value('Gid'), /\b0\b/);
    assert.equal(value('NoNewPrivs'), '1');
    assert.equal(value('Seccomp'), '2');
    for (const set of ['CapPrm', 'CapEff', 'CapBnd']) assert.equal(value(set), '0000000000000000');
  });

  it('saves a setting through the page into the running Postfix', async () => {
    await console_.saveName('mail.appliance.example');
    assert.deepEqual(await console_.namesSeen(), {
      page: 'mail.appliance.example',
      file: 'mail.appliance.example',
      banner: 'mail.appliance.example',
    });
  });

  it('delivers a mail into a mailbox', async () => {
    await appliance.must('useradd', '--create-home', 'alice');
    await console_.deliver('the first mail');
  });

  it('switches to Maildir, in homes that the helper sees but never changes', async () => {
    const save = async (mailboxFormat: string): Promise<void> => {
      const page = await console_.browser.submit(
        BASE,
        { mailboxFormat },
        { button: 'intent=save' },
      );
      assert.equal(page.status, 200, page.text.slice(0, 2000));
    };
    await save('maildir');
    const home = readdirSync(appliance.path('/home/alice'));
    assert.equal(home.includes('Maildir'), false, 'the proof left no mail');
    await sendMail(console_.smtpPort, {
      from: 'a@client.example',
      to: 'alice@localhost',
      subject: 'filed',
    });
    await until('the message in the Maildir', async () => {
      const found = await appliance.run(
        'grep',
        '-rl',
        '^Subject: filed',
        '/home/alice/Maildir/new',
      );
      return found.output.trim() !== '';
    });
    await save('mbox');
  });

  it('can serve on a socket of its own, for a reverse proxy', async () => {
    const socket = '/run/mailserver-console/http.sock';
    await appliance.must('npm', 'start', '--', '--listen', `unix:${socket}`);
    const ask = `require('http').get({ socketPath: '${socket}', path: '/login' }, (r) => process.stdout.write(String(r.statusCode)))`;
    assert.equal(await appliance.must('node', '-e', ask), '200');
    const said = await appliance.must('stat', '-c', '%a %U:%G', socket);
    assert.equal(said, '660 mailserver-console:mailserver-proxy\n');
    await appliance.must('npm', 'start', '--', '--listen', '127.0.0.1:8025');
    await console_.signIn();
  });

  // Packages are the same on both, and to fetch and set them up takes long: `npm run test:appliance` proves it.
  if (RELEASE === 'bookworm') {
    it('gets packages by apt on yes, beside the helper that may write no program, and they work', async () => {
      const [policy, packages] = ['/mail/security/policy', '/mail/security/packages'];
      const plan = await console_.browser.submit(policy, {}, { action: packages });
      assert.match(plan.text, /packages would be installed/);
      assert.notEqual(
        (await appliance.run('dpkg', '-s', 'postgrey')).code,
        0,
        'nothing without yes',
      );
      await console_.browser.send(plan, {}, { action: `${packages}/install` });
      const end = await until('the end of it', async () => {
        const { text } = await console_.browser.get('/mail/security');
        return /Packages are being installed/.test(text) ? null : text;
      });
      assert.match(end, /packages were installed/);
      await appliance.must('dpkg', '-s', 'postgrey', 'postfix-policyd-spf-python');
      const typed = { greylisting: 'yes', spf: 'refuse' };
      const saved = await console_.browser.submit(policy, typed, { button: 'intent=save' });
      assert.equal(saved.status, 200, saved.text.slice(0, 2000));
      const active = await appliance.run('systemctl', 'is-active', 'postgrey');
      assert.equal(active.output.trim(), 'active');
      const chain = await console_.browser.get('/mail/security');
      assert.doesNotMatch(chain.text, /does not answer|is not installed/);
      const off = { greylisting: 'no', spf: 'off' };
      const without = await console_.browser.submit(policy, off, { button: 'intent=save' });
      assert.equal(without.status, 200, without.text.slice(0, 2000));
    });
  }

  it('comes up by itself after a reboot, with settings, accounts and mail', async () => {
    await appliance.powerOff();
    await appliance.boot();
    await console_.signIn();
    assert.equal((await console_.namesSeen()).banner, 'mail.appliance.example');
    assert.match((await readMbox(appliance.path('/var/mail/alice'))).join(''), /the first mail/);
    await console_.saveName('after-reboot.example');
    await console_.deliver('after the reboot');
  });

  it('does not tell the password again when npm start is repeated, and keeps running', async () => {
    const said = await appliance.must('npm', 'start');
    assert.doesNotMatch(said, /Password/);
    assert.equal((await console_.browser.get(BASE)).status, 200);
  });

  /** The helper's journal exists from before the first file is swapped until the change is proved. */
  const journalIsOpen = (): boolean => {
    try {
      return readdirSync(appliance.path('/var/lib/mailserver-helper')).some((name) =>
        name.startsWith('journal'),
      );
    } catch {
      return false;
    }
  };

  const moments: readonly [string, () => Promise<unknown>][] = [
    ['as it begins', () => pause(100)],
    ['while files are swapped', () => until('the journal', journalIsOpen)],
    ['before it is proved', () => until('the journal', journalIsOpen).then(() => pause(300))],
  ];
  for (const [index, [when, moment]] of moments.entries()) {
    it(`is consistent after a power cut in the middle of a save, ${when}`, async () => {
      const former = (await console_.namesSeen()).file;
      const wanted = `power-cut-${index}.example`;
      const saving = console_.browser.submit(
        BASE,
        { mailServerName: wanted },
        { button: 'intent=save' },
      );
      await Promise.race([moment(), saving.catch(() => undefined)]);
      await appliance.powerCut();
      await saving.catch(() => undefined);
      await appliance.boot();
      await console_.signIn();
      // The console drives an unfinished change to its end when it starts.
      const seen = await until('page, file and server to agree', async () => {
        const names = await console_.namesSeen();
        return names.page === names.file && names.file === names.banner ? names.file : null;
      });
      assert.ok([former, wanted].includes(seen), seen);
      assert.equal((await appliance.run('postfix', 'check')).output, '');
      await console_.saveName(`after-cut-${index}.example`);
      assert.equal((await console_.namesSeen()).banner, `after-cut-${index}.example`);
      await console_.deliver(`after power cut ${index}`);
    });
  }

  it('is taken over by the Debian package, with accounts and settings', async () => {
    const file = await buildPackage('99.0.0');
    assert.match(await installPackage(appliance, file), /taking over what npm start set up/);
    await console_.signIn();
    const name = 'after-cut-2.example';
    assert.deepEqual(await console_.namesSeen(), { page: name, file: name, banner: name });
    await console_.saveName('packaged.example');
    assert.equal((await console_.namesSeen()).banner, 'packaged.example');
    const units = [
      'mailserver-console.service',
      'mailserver-fetch.service',
      'mailserver-helper.socket',
    ];
    const paths = await appliance.must(
      'systemctl',
      'show',
      '--value',
      '-p',
      'FragmentPath',
      ...units,
    );
    // Debian 12 finds them by /lib, which leads to /usr/lib.
    const places = await appliance.must('realpath', ...paths.split('\n').filter(Boolean));
    assert.deepEqual(
      places.split('\n').filter(Boolean),
      units.map((unit) => `/usr/lib/systemd/system/${unit}`),
    );
    const { output } = await appliance.run('systemctl', 'is-enabled', ...units);
    assert.equal(output.trim(), 'enabled\nenabled\nenabled');
    assert.equal(existsSync(appliance.path('/usr/local/lib/mailserver')), false);
  });
});
