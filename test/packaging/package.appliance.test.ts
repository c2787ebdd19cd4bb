/** The life of the Debian package on a whole machine: installed, used, rebooted, upgraded, removed, installed again, purged. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Appliance, RELEASE } from '../support/appliance.js';
import { ApplianceConsole, BASE } from '../support/appliance-console.js';
import { buildPackage, installPackage } from '../support/debian-package.js';
import { readMbox } from '../support/mailbox.js';

const NAME = 'mailserver-console';
const UNITS = [
  'mailserver-console.service',
  'mailserver-fetch.service',
  'mailserver-helper.socket',
];
const STATES = ['console', 'fetch', 'helper'].map((part) => `/var/lib/mailserver-${part}`);
const ADD_ALIAS = '/mail/aliases/new';
const SETTINGS = '/etc/default/mailserver-console';

describe(`the Debian package on Debian (${RELEASE})`, () => {
  let appliance: Appliance;
  let console_: ApplianceConsole;
  let newer: Promise<string>;

  const active = async (): Promise<string[]> =>
    (await appliance.run('systemctl', 'is-active', ...UNITS)).output.trim().split('\n');
  const apt = (...command: string[]): Promise<string> =>
    appliance.must('apt-get', '-q', '-y', ...command);
  const firstLogin = (): Promise<string> => appliance.must(NAME, 'first-login');

  before(async () => {
    const first = await buildPackage('1.0.0');
    newer = buildPackage('1.1.0');
    newer.catch(() => undefined);
    appliance = await Appliance.start(RELEASE);
    console_ = new ApplianceConsole(appliance);
    await apt('update');
    const said = await installPackage(appliance, first);
    assert.match(said, /mailserver-console first-login/);
  });
  after(() => appliance.remove());

  it('tells root address and first login, once', async () => {
    const said = await firstLogin();
    assert.match(said, /Address\s+http:\/\/127\.0\.0\.1:8025/);
    assert.match(said, /User\s+admin/);
    console_.password = /Password\s+(\S+)/.exec(said)?.[1] ?? '';
    await console_.signIn();
    const again = await firstLogin();
    assert.doesNotMatch(again, /^\s*Password/m);
    assert.match(again, /new-password/);
  });

  it('runs its services, which start at boot, and nothing has failed', async () => {
    assert.deepEqual(await active(), ['active', 'active', 'active']);
    const { output } = await appliance.run('systemctl', 'is-enabled', ...UNITS);
    assert.equal(output.trim(), 'enabled\nenabled\nenabled');
    const failed = ['list-units', '--failed', '--plain', '--no-legend'];
    assert.equal(await appliance.must('systemctl', ...failed), '');
    const files = ['console.service', 'fetch.service', 'helper.socket', 'helper@.service'].map(
      (unit) => `/usr/lib/systemd/system/mailserver-${unit}`,
    );
    assert.equal(await appliance.must('systemd-analyze', 'verify', '--man=no', ...files), '');
  });

  it('holds files of root alone, as they were built, and nothing for developers', async () => {
    assert.equal(await appliance.must('dpkg', '--verify', NAME), '');
    const home = '/usr/lib/mailserver-console';
    assert.equal(
      await appliance.must('find', home, '(', '!', '-user', 'root', '-o', '-perm', '/022', ')'),
      '',
    );
    const packages = readdirSync(appliance.path(`${home}/node_modules`));
    for (const name of ['typescript', 'eslint', 'esbuild', '@types', 'playwright-core']) {
      assert.equal(packages.includes(name), false, name);
    }
    assert.equal(existsSync(appliance.path(`${home}/dist/test`)), false);
    const modes = await appliance.must('stat', '-c', '%a %U:%G', SETTINGS, ...STATES);
    assert.equal(
      modes,
      '600 root:root\n700 mailserver-console:mailserver\n700 mailserver-fetch:mailserver-fetch\n700 root:root\n',
    );
  });

  it('bounds what its services can do to the machine', async () => {
    for (const unit of ['mailserver-console', 'mailserver-fetch']) {
      const said = await appliance.must(
        'systemctl',
        'show',
        unit,
        '-p',
        'MemoryMax,NoNewPrivileges,ProtectSystem,User',
      );
      assert.match(said, /MemoryMax=\d+/, unit);
      assert.match(said, /NoNewPrivileges=yes/);
      assert.match(said, /ProtectSystem=strict/);
      assert.match(said, /User=mailserver-/);
    }
  });

  it('saves through the page into the running Postfix, and mail comes into a mailbox', async () => {
    await appliance.must('useradd', '--create-home', 'alice');
    await console_.saveName('packaged.example');
    const seen = { page: 'packaged.example', file: 'packaged.example', banner: 'packaged.example' };
    assert.deepEqual(await console_.namesSeen(), seen);
    const alias = { name: 'info', targets: 'alice', enabled: '1' };
    const page = await console_.browser.submit(ADD_ALIAS, alias, { action: ADD_ALIAS });
    assert.equal(page.status, 200, page.text.slice(0, 2000));
    await console_.deliver('the first mail');
    await console_.deliver('by the alias', 'info@localhost');
  });

  it('says on the command line how things are', async () => {
    assert.match(await appliance.must(NAME, 'status'), /^Mailserver: ok\n/);
    await appliance.must('systemctl', 'stop', NAME);
    const stopped = await appliance.run(NAME, 'status');
    assert.deepEqual(stopped, { code: 2, output: 'Mailserver: the console does not run\n' });
    await appliance.must('systemctl', 'start', NAME);
  });

  it('comes up by itself after a reboot', async () => {
    await appliance.powerOff();
    await appliance.boot();
    await console_.signIn();
    assert.equal((await console_.namesSeen()).banner, 'packaged.example');
    await console_.deliver('after the reboot', 'info@localhost');
  });

  it('is upgraded with accounts, settings and history', async () => {
    await appliance.must('sed', '-i', 's/^#TZ=.*/TZ="Europe\\/Vienna"/', SETTINGS);
    const said = await installPackage(appliance, await newer);
    assert.doesNotMatch(said, /first-login/);
    const version = await appliance.must('dpkg-query', '-W', '-f', '${Version}', NAME);
    assert.equal(version, '1.1.0');
    await console_.signIn();
    assert.deepEqual(await active(), ['active', 'active', 'active']);
    assert.match(readFileSync(appliance.path(SETTINGS), 'utf8'), /^TZ="Europe\/Vienna"$/m);
    assert.match((await console_.browser.get('/mail/history')).text, /packaged\.example/);
    await console_.saveName('upgraded.example');
    assert.equal((await console_.namesSeen()).banner, 'upgraded.example');
    await console_.deliver('after the upgrade', 'info@localhost');
  });

  it('gives root a new password for an account, which ends its sessions', async () => {
    const said = await appliance.must(NAME, 'new-password', 'admin');
    const page = await console_.browser.get(BASE);
    assert.equal(new URL(page.url).pathname, '/login');
    console_.password = /Password\s+(\S+)/.exec(said)?.[1] ?? '';
    await console_.signIn();
    assert.notEqual((await appliance.run(NAME, 'new-password', 'nobody')).code, 0);
  });

  it('does not let npm start put the same services beside it', async () => {
    const main = '/usr/lib/mailserver-console/dist/lib/launch/main.js';
    const script = `import { main } from '${main}'; process.exit(await main([]))`;
    const node = '/usr/lib/mailserver-console/node';
    const { code, output } = await appliance.run(node, '--input-type=module', '-e', script);
    assert.equal(code, 1);
    assert.match(output, /Debian package mailserver-console looks after this machine/);
    assert.equal(existsSync(appliance.path('/usr/local/lib/mailserver')), false);
  });

  /** What has to hold without us. */
  async function mailFlows(subject: string): Promise<void> {
    await apt('autoremove', '--purge');
    assert.equal(
      (await appliance.run('systemctl', 'is-active', 'postfix')).output.trim(),
      'active',
    );
    assert.equal((await appliance.run('postfix', 'check')).output, '');
    await appliance.must('systemctl', 'restart', 'postfix');
    assert.equal(await console_.banner(), 'upgraded.example');
    await console_.deliver(subject, 'info@localhost');
  }

  it('leaves the mail flowing and everything kept when it is removed', async () => {
    await apt('remove', NAME);
    assert.deepEqual(await active(), ['inactive', 'inactive', 'inactive']);
    await mailFlows('without the console');
    for (const state of STATES) assert.ok(existsSync(appliance.path(state)), state);
    assert.match(readFileSync(appliance.path(SETTINGS), 'utf8'), /Vienna/);
  });

  it('goes on where it was when it is installed again', async () => {
    await installPackage(appliance, await newer);
    await console_.signIn();
    const seen = { page: 'upgraded.example', file: 'upgraded.example', banner: 'upgraded.example' };
    assert.deepEqual(await console_.namesSeen(), seen);
  });

  it('takes its own state along when it is purged, and no mail, and nothing Postfix needs', async () => {
    await apt('purge', NAME);
    await mailFlows('after the purge');
    const left = [
      ...STATES,
      SETTINGS,
      '/etc/mailserver',
      '/usr/lib/mailserver-console',
      '/run/mailserver',
    ];
    assert.deepEqual(
      left.filter((path) => existsSync(appliance.path(path))),
      [],
    );
    const mails = await readMbox(appliance.path('/var/mail/alice'));
    assert.equal(mails.length, 6);
    const failed = ['list-units', '--failed', '--plain', '--no-legend'];
    assert.equal(await appliance.must('systemctl', ...failed), '');
  });
});
