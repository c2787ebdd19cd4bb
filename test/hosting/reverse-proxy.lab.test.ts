/** The guide of docs/hosting/reverse-proxy.md, followed: a real nginx with the very site that stands there. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { makeCertificate } from '../support/certificate.js';
import { signalInside, type CommandResult, type RunningCommand } from '../support/inside.js';
import { SpareMachine } from '../support/spare-machine.js';
import { until } from '../support/wait.js';

const SOCKET = '/run/mailserver-console/http.sock';
const NAME = 'mail-console.example';
const SITE = `https://${NAME}`;
const HEADER = 'X-Remote-User';

describe('behind an nginx that signs people in', () => {
  let machine: SpareMachine;
  let console_: RunningCommand;
  let said = '';

  const start = (listen: string): RunningCommand => {
    const settings = [`MAILSERVER_TRUSTED_USER_HEADER=${HEADER}`, 'MAILSERVER_FIRST_ADMIN=anna'];
    const command = machine.start('env', ...settings, 'node', 'bin/start.mjs', '--listen', listen);
    said = '';
    for (const stream of [command.stdout, command.stderr]) {
      stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    }
    return command;
  };

  before(async () => {
    machine = await SpareMachine.start();
    const write = (path: string, text: string): void => writeFileSync(machine.path(path), text);
    const { cert, key } = makeCertificate({ names: [NAME] });
    write('/etc/nginx/mailserver-console.crt', cert);
    write('/etc/nginx/mailserver-console.key', key);
    const site = '/etc/nginx/sites-enabled/mailserver-console';
    copyFileSync(join(PACKAGE_ROOT, 'docs/hosting/nginx-site.conf'), machine.path(site));
    await machine.run('rm', '-f', '/etc/nginx/sites-enabled/default');
    const users = ['anna', 'stranger'].map(async (login) => {
      const hash = await machine.run('openssl', 'passwd', '-apr1', `${login}-password`);
      return `${login}:${hash.output.trim()}\n`;
    });
    write('/etc/nginx/mailserver-console.users', (await Promise.all(users)).join(''));

    console_ = start(`unix:${SOCKET}`);
    await until('the console to run', () => {
      if (console_.exitCode !== null) throw new Error(`it ended: ${said}`);
      return said.includes('console runs');
    });
    await machine.run('usermod', '--append', '--groups', 'mailserver-proxy', 'www-data');
    const nginx = await machine.run('nginx');
    assert.equal(nginx.code, 0, nginx.output);
  });
  after(async () => {
    await machine.run('nginx', '-s', 'quit');
    await machine.end();
  });

  /** curl(1) at the site; its output is the body and, in a line of its own, the status. */
  const curl = (...args: string[]): Promise<CommandResult> => {
    const here = ['--resolve', `${NAME}:443:127.0.0.1`, '--insecure', '--silent', '--show-error'];
    return machine.run('curl', ...here, '--write-out', '\n%{http_code}', ...args);
  };
  const as = (login: string, ...args: string[]): Promise<CommandResult> =>
    curl('--user', `${login}:${login}-password`, ...args);
  const statusOf = ({ output }: CommandResult): string =>
    output.slice(output.lastIndexOf('\n') + 1);
  /** As somebody on this machine who skips the proxy. */
  const direct = (user: string, ...args: string[]): Promise<CommandResult> => {
    const group = user === 'nobody' ? 'nogroup' : user;
    const become = ['setpriv', '--reuid', user, '--regid', group, '--init-groups'];
    const to = ['--unix-socket', SOCKET, '--silent', '--write-out', '\n%{http_code}'];
    return machine.run(...become, 'curl', ...to, ...args, 'http://console/account');
  };

  it('has the first account for the person that was named, and tells no password', async () => {
    assert.doesNotMatch(said, /Password/);
    const page = await as('anna', `${SITE}/account`);
    assert.equal(statusOf(page), '200', page.output);
    assert.match(page.output, /anna/);
    assert.doesNotMatch(page.output, /action="\/logout"/);
  });

  it('lets nobody in whom the proxy has not signed in, nor a login without an account', async () => {
    assert.equal(statusOf(await curl(`${SITE}/account`)), '401');
    assert.equal(statusOf(await curl('--user', 'anna:wrong', `${SITE}/account`)), '401');
    assert.equal(statusOf(await as('stranger', `${SITE}/account`)), '403');
  });

  it('does not believe the header of a browser', async () => {
    for (const name of [HEADER, HEADER.toLowerCase(), 'X_Remote_User']) {
      const forged = ['--header', `${name}: anna`, `${SITE}/account`];
      assert.equal(statusOf(await curl(...forged)), '401', name);
      assert.equal(statusOf(await as('stranger', ...forged)), '403', name);
    }
  });

  it('saves a form that comes from its own pages, and none from elsewhere', async () => {
    const page = await as('anna', '--cookie-jar', '/run/cookies', `${SITE}/network`);
    const token = /name="_csrf" value="([^"]+)"/.exec(page.output)?.[1] ?? '';
    const version = /name="version" value="([^"]+)"/.exec(page.output)?.[1] ?? '';
    const fields = [`_csrf=${token}`, `version=${version}`, 'proxy=http://proxy.example:3128'];
    const form = [
      '--cookie',
      '/run/cookies',
      ...fields.flatMap((one) => ['--data-urlencode', one]),
    ];
    const foreign = ['--header', 'Origin: https://elsewhere.example'];
    assert.equal(statusOf(await as('anna', ...form, ...foreign, `${SITE}/network`)), '403');
    const own = ['--header', `Origin: ${SITE}`];
    assert.equal(statusOf(await as('anna', ...form, ...own, `${SITE}/network`)), '303');
    const shown = await as('anna', `${SITE}/network`);
    assert.match(shown.output, /proxy\.example:3128/);
    const jar = await machine.run('cat', '/run/cookies');
    assert.doesNotMatch(jar.output, /^mail-console\.example\tFALSE\t\/\tFALSE/m, 'secure cookies');
  });

  it('opens its socket for the proxy alone', async () => {
    const forged = ['--header', `${HEADER}: anna`];
    assert.equal(statusOf(await direct('nobody', ...forged)), '000');
    assert.equal(statusOf(await direct('mailserver-fetch', ...forged)), '000');
    assert.equal(statusOf(await direct('www-data', ...forged)), '200', 'that is the proxy');
  });

  it('takes two headers for nobody', async () => {
    const twice = ['--header', `${HEADER}: anna`, '--header', `${HEADER}: anna`];
    assert.equal(statusOf(await direct('www-data', ...twice)), '403');
  });

  it('does not start on a TCP port with such a header', async () => {
    signalInside(console_, 'SIGTERM');
    if (console_.exitCode === null) await once(console_, 'exit');
    const wrong = start('127.0.0.1:8025');
    await once(wrong, 'exit');
    assert.notEqual(wrong.exitCode, 0);
    assert.match(said, /MAILSERVER_TRUSTED_USER_HEADER needs MAILSERVER_LISTEN=unix:/);
  });
});
