import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { FETCH_STATE } from '../../lib/fetcher/places.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import type { ConsoleClient } from '../support/console-client.js';
import { startLab, type Lab } from '../support/lab.js';

const BASE = '/mail/configuration/base';
const SMARTHOST = '/mail/configuration/smarthost';
const PASSPHRASE = 'eine lange Passphrase';
const PASSWORD = 'geheim "#: ü';

describe('the root command line for backups', () => {
  let lab: Lab;
  let browser: ConsoleClient;
  let folder: string;
  let file: string;
  before(async () => {
    lab = await startLab();
    browser = await lab.signIn();
    folder = mkdtempSync(join(tmpdir(), 'mailserver-backup-'));
    file = join(folder, 'settings.locked');
    await saveName('kept.lab.example');
    await saveSmarthost({ host: '127.0.0.1', tls: 'may', username: 'user', password: PASSWORD });
  });
  after(async () => {
    rmSync(folder, { recursive: true });
    await lab.stop();
  });

  const saveName = (mailServerName: string) =>
    browser.submit(BASE, { mailServerName }, { action: BASE, button: 'intent=save' });
  const saveSmarthost = async (fields: Record<string, string>): Promise<void> => {
    const answer = await browser.submit(SMARTHOST, fields, {
      action: SMARTHOST,
      button: 'intent=save',
    });
    assert.equal(answer.status, 200, answer.html.slice(0, 2_000));
  };
  const run = async (args: readonly string[], passphrase: string) => {
    const program = join(PACKAGE_ROOT, 'dist/lib/privileged/backup/cli.js');
    const child = spawn(process.execPath, [program, ...args, '--root', lab.root], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stdin.end(`${passphrase}\n`);
    const [code] = (await once(child, 'close')) as [number];
    return { code, said };
  };
  const login = (): string => execPostmap(`lmdb:${lab.configDir}/mailserver.d/smarthost-password`);

  it('makes a file that nobody else can read and that shows nothing', async () => {
    const { code, said } = await run(['make', file], PASSPHRASE);
    assert.equal(code, 0, said);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.doesNotMatch(readFileSync(file, 'utf8'), /geheim|kept\.lab/);
  });

  it('restores it with the passwords, once and not twice', async () => {
    await saveName('later.lab.example');
    await saveSmarthost({ removePassword: 'yes', password: '' });
    const first = await run(['restore', file], PASSPHRASE);
    assert.equal(first.code, 0, first.said);
    assert.match(first.said, /restored, and in force/);
    assert.equal(await lab.postconf('myhostname'), 'kept.lab.example');
    assert.equal(login(), `user:${PASSWORD}`);
    const second = await run(['restore', file], PASSPHRASE);
    assert.match(second.said, /as in the file already/);
  });

  it('brings what was fetched already from a mailbox that keeps its mail', async () => {
    const fetchmail = '/mail/fetchmail';
    const query = { name: 'pop.provider.example', protocol: 'pop3', enabled: '', keep: '1' };
    const login = { remoteUser: 'me', remotePassword: PASSWORD, destination: 'address' };
    const typed = { ...query, ...login, address: 'somebody@example.com' };
    const options = { action: `${fetchmail}/new`, button: 'intent=save' };
    const saved = await browser.submit(`${fetchmail}/new`, typed, options);
    assert.equal(saved.status, 200, saved.text);
    const state = join(lab.root, FETCH_STATE);
    const { uid, gid } = statSync(state);
    const [id = ''] = /fetchmail\/(\d+)/.exec(saved.html)?.slice(1) ?? [];
    mkdirSync(join(state, id), { recursive: true });
    const line = 'me@pop.provider.example 000000016b0b5864\n';
    writeFileSync(join(state, id, 'ids'), `${line}you@elsewhere.example 000000016b0b5864\n`);
    for (const path of [join(state, id), join(state, id, 'ids')]) chownSync(path, uid, gid);
    const kept = join(folder, 'with-seen.locked');
    assert.equal((await run(['make', kept], PASSPHRASE)).code, 0);
    rmSync(join(state, id), { recursive: true });
    const restored = await run(['restore', kept], PASSPHRASE);
    assert.equal(restored.code, 0, restored.said);
    assert.doesNotMatch(restored.said, /not known here/);
    const [brought = ''] = readdirSync(state).filter((name) => /^0\d+$/.test(name));
    assert.equal(readFileSync(join(state, brought, 'ids'), 'utf8'), line);
    assert.equal(statSync(join(state, brought, 'ids')).uid, uid);
  });

  it('says what is wrong, and changes nothing: passphrase, file, console', async () => {
    const cases: readonly (readonly [readonly string[], string, RegExp])[] = [
      [['restore', file], 'another passphrase', /passphrase is wrong/],
      [['make', join(folder, 'x')], 'short', /passphrase is too short/],
      [['restore', join(folder, 'none')], PASSPHRASE, /ENOENT/],
      [['burn', file], PASSPHRASE, /usage/],
    ];
    for (const [args, passphrase, words] of cases) {
      const { code, said } = await run(args, passphrase);
      assert.equal(code, 1);
      assert.match(said, words);
      assert.doesNotMatch(said, /geheim/);
    }
    writeFileSync(
      join(folder, 'broken'),
      readFileSync(file, 'utf8').replace(/"sealed":"..../, '"sealed":"AAAA'),
    );
    assert.match((await run(['restore', join(folder, 'broken')], PASSPHRASE)).said, /damaged/);
    assert.equal(await lab.postconf('myhostname'), 'kept.lab.example');
  });
});

function execPostmap(map: string): string {
  return execFileSync('/usr/sbin/postmap', ['-q', '[127.0.0.1]:587', map], {
    encoding: 'utf8',
  }).trimEnd();
}
