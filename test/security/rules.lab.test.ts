/**
 * Newer rules for spam, fetched by the real sa-update from a mirror of the test's own, found by the DNS and reached by the
 * proxy. The one thing that is not real: the key that the makers of SpamAssassin sign with is one of ours.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { createHelper, type Helper } from '../../lib/client/helper.js';
import { createProcessTransport } from '../../lib/client/process-transport.js';
import { HelperError } from '../../lib/errors.js';
import { TEST_SPAM } from '../../lib/privileged/apply/scan-proof.js';
import type { Zone } from '../support/dns-server.js';
import { CLONE, SpareMachine } from '../support/spare-machine.js';

const run = promisify(execFile);

const PACKAGED = '/usr/share/spamassassin';
const KEYS = '/var/lib/spamassassin/sa-update-keys';
/** In sa-update, which trusts nobody else. */
const MAKERS_KEY = '5E541DC959CB8BAC7C78DFDC4056A61A5244EC45';
const MIRROR = 'mirror.example';
const PROXY_PORT = 3128;
const PROXY = `http://user:secret@127.0.0.1:${PROXY_PORT}`;
/** As channels number what they publish. */
const VERSION = '1900001';
const RULE = `body FETCHED_TODAY /rules-fetched-just-now/
describe FETCHED_TODAY Fetched a moment ago
score FETCHED_TODAY 5.0
`;

/** What a mirror has, by path. */
type Offer = Record<string, Buffer | string>;

describe('rules for spam', () => {
  let machine: SpareMachine;
  let helper: Helper;
  let folder: string;
  let proxy: Server;
  let offer: Offer = {};
  const asked: string[] = [];

  before(async () => {
    machine = await SpareMachine.start();
    helper = createHelper(createProcessTransport({ enter: machine.enter }));
    folder = await mkdtemp(join(tmpdir(), 'mailserver-rules-'));
    proxy = createServer((req, res) => {
      const { url = '', headers } = req;
      asked.push(`${url} ${headers['proxy-authorization'] ?? ''}`);
      const content = offer[new URL(url, `http://${MIRROR}`).pathname];
      if (content === undefined) res.writeHead(404).end();
      else res.end(content);
    });
    const socket = join(folder, 'proxy');
    await once(proxy.listen(socket), 'listening');
    await machine.wayOut(socket, PROXY_PORT);
    await startDns();
  });
  after(async () => {
    await run('/usr/bin/gpgconf', ['--homedir', folder, '--kill', 'all']);
    proxy.close();
    await machine.end();
    await rm(folder, { recursive: true, force: true });
  });

  const must = async (...command: string[]): Promise<string> => {
    const { code, output } = await machine.run(...command);
    assert.equal(code, 0, `${command.join(' ')}: ${output}`);
    return output;
  };
  const gpg = async (...args: string[]): Promise<string> =>
    (await run('/usr/bin/gpg', ['--homedir', folder, '--batch', '--yes', ...args])).stdout;
  const update = () =>
    helper.call('security-update', { what: 'rules', proxy: PROXY }, { actor: 'test' });
  const status = () => helper.call('security-status', {}, { actor: 'test' });
  const fetchesNothing = async (why: RegExp): Promise<void> => {
    await assert.rejects(
      update(),
      (error) =>
        error instanceof HelperError &&
        error.key === 'helper.security.update' &&
        why.test(error.detail) &&
        !error.detail.includes('secret'),
    );
  };
  /** Names of the rules that fit a mail with this text. */
  const rulesFor = (text: string): Promise<string> =>
    must('sh', '-c', `printf 'Subject: x\\n\\n%s\\n' "$1" | spamassassin -L -t 2>&1`, 'sh', text);

  /** The name server says which version there is, and where the list of mirrors lies. */
  async function startDns(): Promise<void> {
    const zone: Zone = {
      // For whatever 4.x there is here, its number backwards.
      '*.4.updates.spamassassin.org': { txt: [VERSION] },
      'mirrors.updates.spamassassin.org': { txt: [`http://${MIRROR}/MIRRORED.BY`] },
      [MIRROR]: { a: ['127.0.0.1'] },
    };
    await must('sh', '-c', 'rm -f /etc/resolv.conf && echo nameserver 127.0.0.1 >/etc/resolv.conf');
    const program = `${CLONE}/dist/test/support/dns-server.js`;
    const server = machine.start('node', program, '127.0.0.1', JSON.stringify(zone));
    await once(server.stdout, 'data');
  }

  /** A key, and the real sa-update taught that it is the makers' one. */
  async function makeKey(): Promise<void> {
    await gpg('--passphrase', '', '--quick-gen-key', 'rules@mirror.example', 'rsa2048', 'sign');
    const listed = await gpg('--with-colons', '--list-keys');
    const print = /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1] ?? '';
    const own = await readFile('/usr/bin/sa-update', 'utf8');
    assert.ok(own.includes(MAKERS_KEY));
    await writeFile(machine.path('/run/sa-update'), own.replaceAll(MAKERS_KEY, print), {
      mode: 0o755,
    });
    await must('mount', '--bind', '/run/sa-update', '/usr/bin/sa-update');
    await writeFile(machine.path('/run/key'), await gpg('--armor', '--export'), { mode: 0o644 });
    const user = ['setpriv', '--reuid', 'debian-spamd', '--regid', 'debian-spamd', '--init-groups'];
    await must(...user, 'gpg', '--homedir', KEYS, '--batch', '--import', '/run/key');
  }

  /** An archive with the rules of the package and one more, and what signs it. */
  async function publish(): Promise<Offer> {
    await writeFile(join(folder, '72_fetched.cf'), RULE);
    const archive = join(folder, `${VERSION}.tar.gz`);
    const packaged = (await readdir(PACKAGED)).filter((name) => name.endsWith('.cf'));
    const files = ['-C', PACKAGED, ...packaged, '-C', folder, '72_fetched.cf'];
    await run('/usr/bin/tar', ['-czf', archive, ...files]);
    await gpg('--armor', '--output', `${archive}.asc`, '--detach-sign', archive);
    return {
      '/MIRRORED.BY': `http://${MIRROR}/rules/ weight=1\n`,
      [`/rules/${VERSION}.tar.gz`]: await readFile(archive),
      [`/rules/${VERSION}.tar.gz.asc`]: await readFile(`${archive}.asc`),
    };
  }

  it('are not changed by a mirror that is away, or whose archive somebody else made', async () => {
    // What somebody else's fetch left behind: SpamAssassin finds no rules then.
    const left = '/var/lib/spamassassin/4.999999';
    await must('install', '-d', '-o', 'debian-spamd', '-g', 'debian-spamd', left);
    assert.equal((await status()).spamassassin.hasRules, false);
    await fetchesNothing(/mirror/i);
    assert.equal((await status()).spamassassin.hasRules, true);
    await makeKey();
    const good = await publish();
    const archive = good[`/rules/${VERSION}.tar.gz`] as Buffer;
    offer = { ...good, [`/rules/${VERSION}.tar.gz`]: Buffer.concat([archive, Buffer.from('x')]) };
    await fetchesNothing(/GPG validation failed/);
    // Those of the package hold, which a fetch that came to nothing must not hide.
    assert.match(await rulesFor(TEST_SPAM), / GTUBE /);
    offer = good;
  });

  it('come from the mirror by the proxy with its password, and hold at once', async () => {
    asked.length = 0;
    assert.deepEqual((await update()).done, ['rules']);
    const login = `Basic ${Buffer.from('user:secret').toString('base64')}`;
    assert.ok(
      asked.includes(`http://${MIRROR}/rules/${VERSION}.tar.gz ${login}`),
      asked.join('\n'),
    );
    assert.match(await rulesFor('rules-fetched-just-now'), /5\.0 FETCHED_TODAY/);
    const { spamassassin } = await status();
    assert.ok(Date.now() - new Date(spamassassin.rules?.at ?? 0).getTime() < 24 * 3_600_000);
    const owner = await must('sh', '-c', 'stat -c %U /var/lib/spamassassin/*/updates_*.cf');
    assert.equal(owner, 'debian-spamd\n');
  });

  it('are told as the newest there are when nothing newer was published', async () => {
    assert.deepEqual((await update()).done, ['rulesCurrent']);
  });
});
