import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { readManifest } from '../../lib/manifest.js';
import { ConsoleClient } from '../support/console-client.js';
import { signalInside, type RunningCommand } from '../support/inside.js';
import { findPages } from '../support/page-map.js';
import { sendMail } from '../support/smtp-client.js';
import { CLONE, SpareMachine } from '../support/spare-machine.js';
import { until } from '../support/wait.js';

interface Started {
  readonly command: RunningCommand;
  said(): string;
  ended: Promise<number | null>;
}

/** Starts the launcher and waits until it says that the console runs. */
async function start(machine: SpareMachine, ...command: string[]): Promise<Started> {
  const running = machine.start(...command);
  let said = '';
  for (const stream of [running.stdout, running.stderr]) {
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  }
  const ended = once(running, 'exit').then(([code]) => code as number | null);
  await until('the console to run', () => {
    if (running.exitCode !== null) throw new Error(`it ended: ${said}`);
    return said.includes('console runs');
  });
  return { command: running, said: () => said, ended };
}

function password(said: string): string {
  return /Password\s+(\S+)/.exec(said)?.[1] ?? '';
}

describe('npm start as root on a machine without systemd', () => {
  let machine: SpareMachine;
  let started: Started;
  let console_: ConsoleClient;
  before(async () => {
    machine = await SpareMachine.start();
    started = await start(machine, 'node', 'bin/start.mjs');
    console_ = new ConsoleClient(`http://127.0.0.1:${await machine.tunnel(8025)}`);
  });
  after(() => machine.end());

  it('tells the first login, which works', async () => {
    assert.match(started.said(), /Address\s+http:\/\/127\.0\.0\.1:8025/);
    await console_.signIn('admin', password(started.said()));
    assert.equal((await console_.get('/mail')).status, 200);
  });

  it('keeps the password nowhere in clear', async () => {
    const word = password(started.said());
    assert.ok(word.length > 10);
    const found = await machine.run('grep', '-rlF', word, '/etc', '/var/lib', '/run', '/usr/local');
    assert.equal(found.output, '');
  });

  it('installs the build for root alone to change, and readable for the console', () => {
    const walk = (folder: string): void => {
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const path = `${folder}/${entry.name}`;
        if (entry.isSymbolicLink()) continue;
        const { uid, mode } = statSync(path);
        assert.equal(uid, 0, path);
        assert.equal(mode & 0o022, 0, path);
        assert.equal(mode & 0o004, 0o004, path);
        if (entry.isDirectory()) walk(path);
      }
    };
    walk(machine.path('/usr/local/lib/mailserver/releases'));
  });

  it('opens the way to the helper for the group of the console alone', async () => {
    const { output } = await machine.run(
      ...['stat', '-c', '%a %U:%G', '/run/mailserver', '/run/mailserver/helper.sock'],
    );
    assert.equal(output, '750 root:mailserver\n660 root:mailserver\n');
    const states = ['/var/lib/mailserver-console', '/var/lib/mailserver-helper'];
    assert.equal(
      (await machine.run('stat', '-c', '%a %U', ...states)).output,
      '700 mailserver-console\n700 root\n',
    );
  });

  it('leaves a command for root: status, a new password, what is wrong with its use', async () => {
    const { code, output } = await machine.run('mailserver-console', 'status');
    assert.match(output, /^Mailserver: (ok|degraded)\n/);
    assert.equal(code, output.startsWith('Mailserver: ok') ? 0 : 1);
    const unknown = await machine.run('mailserver-console', 'new-password', 'nobody');
    assert.equal(unknown.code, 1);
    assert.match(unknown.output, /no account "nobody"/);
    assert.equal((await machine.run('mailserver-console', 'nonsense')).code, 1);
    const first = await machine.run('mailserver-console', 'first-login');
    assert.doesNotMatch(first.output, /^\s*Password/m);
    assert.match(first.output, /told already/);
  });

  it('has Postfix running', async () => {
    const port = await machine.tunnel(25);
    const answer = await sendMail(port, { from: 'a@client.example', to: 'root@localhost' });
    assert.equal(answer.data?.code, 250);
  });

  it('stops all it started when it is asked to', async () => {
    signalInside(started.command, 'SIGTERM');
    assert.equal(await started.ended, 0);
    const { output } = await machine.run('ps', '-eo', 'stat=,args=');
    const left = output.split('\n').filter((line) => /node|postfix/.test(line) && !/^Z/.test(line));
    assert.deepEqual(left, []);
  });

  it('starts again with the same accounts, and does not tell the password twice', async () => {
    const again = await start(machine, 'node', 'bin/start.mjs');
    assert.equal(password(again.said()), '');
    const browser = new ConsoleClient(`http://127.0.0.1:${await machine.tunnel(8025)}`);
    await browser.signIn('admin', password(started.said()));
    signalInside(again.command, 'SIGINT');
    assert.equal(await again.ended, 0);
  });
});

describe('npm start without root', () => {
  let machine: SpareMachine;
  before(async () => {
    machine = await SpareMachine.start();
  });
  after(() => machine.end());

  it('shows everything, and says on the command line and on the page that it cannot apply', async () => {
    await machine.run('install', '-d', '-o', 'nobody', '/mnt/state');
    const started = await start(
      machine,
      ...['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups'],
      ...['env', 'XDG_STATE_HOME=/mnt/state', 'node', `${CLONE}/bin/start.mjs`],
    );
    assert.match(started.said(), /nothing can be applied/);
    const browser = new ConsoleClient(`http://127.0.0.1:${await machine.tunnel(8025)}`);
    await browser.signIn('admin', password(started.said()));
    // Every link leads to a page, and wherever something could be saved it says why it cannot.
    const found = await findPages(browser, ['/mail'], [200, 502]);
    const { menu, mount } = readManifest();
    for (const { path } of menu.flatMap((entry) => [entry, ...(entry.tabs ?? [])])) {
      const at = mount + (path === '/' ? '' : path);
      const shown = found.find((one) => one.path === at)?.page;
      assert.ok(shown, at);
      const saves = shown.forms.some(({ buttons }) =>
        buttons.some(({ value }) => value === 'save'),
      );
      if (saves) assert.match(shown.text, /The helper does not answer/, at);
    }
    const page = await browser.get('/mail/configuration/base');
    assert.match(page.text, /The helper does not answer/);
    const saved = await browser.send(page, { mailServerName: 'mail.example' });
    assert.equal(saved.status, 502);
    assert.match(saved.text, /Nothing was saved[^]*without its helper/);
    assert.equal(existsSync(machine.path('/run/mailserver')), false);
    signalInside(started.command, 'SIGTERM');
    assert.equal(await started.ended, 0);
    assert.equal(readFileSync(machine.path('/etc/passwd'), 'utf8').includes('mailserver'), false);
  });
});
