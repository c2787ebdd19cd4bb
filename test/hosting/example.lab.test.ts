/** The very files of docs/hosting: somebody else's console with these pages in it, on a real Postfix. */
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { hash } from '@node-rs/argon2';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { ConsoleClient } from '../support/console-client.js';
import { startListener, type HelperSocket } from '../support/helper-sockets.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';

const BASE = '/mail/configuration/base';
const PASSWORD = 'a password of the example';

describe('the example of a console of somebody else', () => {
  let folder: string;
  let root: PostfixRoot;
  let helper: HelperSocket;
  let server: ChildProcess;
  let url = '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailserver-hosting-'));
    const password = await hash(PASSWORD, { memoryCost: 1024, timeCost: 1 });
    const people = ['auditor', 'administrator', 'guest'].map((role, index) => ({
      ...{ id: String(index), login: role, name: `A. ${role}`, role, password },
      ...{ mailbox: role === 'auditor', addresses: [`${role}@acme.example`] },
    }));
    await writeFile(join(folder, 'people.json'), JSON.stringify(people));
    root = await startPostfixRoot();
    helper = await startListener(root);
    server = spawn(process.execPath, ['docs/hosting/server.mjs'], {
      cwd: PACKAGE_ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'], STATE: folder, HELPER: helper.path },
    });
    const lines = createInterface({ input: server.stdout as NodeJS.ReadableStream });
    const [line] = (await once(lines, 'line')) as [string];
    url = (JSON.parse(line) as { url: string }).url;
  });
  after(async () => {
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
    await helper.stop();
    await root.stop();
    await rm(folder, { recursive: true });
  });

  const signIn = async (login: string, language = 'en'): Promise<ConsoleClient> => {
    const browser = new ConsoleClient(url);
    browser.language = language;
    await browser.submit('/sign-in', { login, password: PASSWORD });
    return browser;
  };

  it('asks strangers to sign in, and lets nobody in with a wrong password', async () => {
    const browser = new ConsoleClient(url);
    assert.equal(new URL((await browser.get('/mail')).url).pathname, '/sign-in');
    await browser.submit('/sign-in', { login: 'administrator', password: 'wrong' });
    assert.equal(new URL((await browser.get(BASE)).url).pathname, '/sign-in');
  });

  it('shows the pages in its own frame, with its brand and the words of the menu', async () => {
    const english = await (await signIn('administrator')).get('/mail');
    assert.equal(english.status, 200);
    assert.match(english.html, /<header><a href="\/">Acme Server<\/a> <span>A\. administrator/);
    assert.match(english.html, /<a href="\/mail\/queue">Mail queue<\/a>/);
    const german = await (await signIn('administrator', 'de')).get('/mail/queue');
    assert.match(german.html, /<html lang="de">/);
    assert.match(german.html, /aria-current="page">Warteschlange/);
  });

  it('gives each of its roles what it may do', async () => {
    const guest = await (await signIn('guest')).get('/mail');
    assert.equal(guest.status, 403);
    const auditor = await signIn('auditor');
    assert.equal((await auditor.get(BASE)).status, 200);
    const refused = await auditor.request('POST', BASE, new URLSearchParams({ intent: 'save' }));
    assert.equal(refused.status, 403, 'without the token');
    assert.doesNotMatch((await auditor.get('/mail')).html, /href="\/mail\/backup"/);
    assert.equal((await auditor.get('/mail/backup')).status, 403);
  });

  it('saves into the running Postfix, in the name of its person', async () => {
    const browser = await signIn('administrator');
    const typed = { mailServerName: 'hosted.example' };
    const page = await browser.submit(BASE, typed, { button: 'intent=save' });
    assert.equal(page.status, 200, page.text.slice(0, 2000));
    const asked = ['-c', root.places.configDir, '-h', 'myhostname'];
    const { stdout } = await promisify(execFile)('/usr/sbin/postconf', asked);
    assert.equal(stdout.trim(), 'hosted.example');
    assert.match((await browser.get('/mail/history')).text, /administrator/);
    const audit = await readFile(join(root.places.stateDir, 'audit.log'), 'utf8');
    assert.match(audit, /administrator/);
  });

  it('refuses a form without its token, and one with a file too', async () => {
    const browser = await signIn('administrator');
    const page = await browser.get(BASE);
    const fields = new URLSearchParams({ mailServerName: 'x.example', _csrf: 'wrong' });
    assert.equal((await browser.request('POST', new URL(page.url).pathname, fields)).status, 403);
    const upload = new FormData();
    upload.set('file', new Blob(['{}']), 'settings.json');
    assert.equal((await browser.request('POST', '/mail/backup/restore', upload)).status, 403);
  });

  it('asks the plugin for facts and health', async () => {
    const browser = await signIn('auditor');
    const answer = await (await browser.request('GET', '/facts')).json();
    const { localDomain, health } = answer as { localDomain: boolean; health: { status: string } };
    assert.equal(typeof localDomain, 'boolean');
    assert.match(health.status, /^(ok|degraded)$/);
  });
});
