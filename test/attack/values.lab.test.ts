/** Every hostile value for Base configuration and Local domains at the helper's socket, past the web side. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createHelper, type Helper } from '../../lib/client/helper.js';
import { createSocketTransport } from '../../lib/client/socket-transport.js';
import type { HelperFailure } from '../../lib/errors.js';
import { seal } from '../../lib/secrets/seal.js';
import { bindingOf } from '../../lib/smarthost/binding.js';
import { NO_SMARTHOST, type SmarthostSettings } from '../../lib/smarthost/schema.js';
import { PROTOCOL_VERSION } from '../../lib/privileged/protocol.js';
import { startListener, type HelperSocket } from '../support/helper-sockets.js';
import { changedPaths, listFolder } from '../support/listing.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { hostileTexts, IDN_TRICKS } from './hostile.js';

const ACTOR = { actor: 'attacker' };
/** Many at once, but not so many that a small machine does nothing else. */
const AT_ONCE = 4;
/** What changes by itself: Postfix' queue, state and log, and the helper's record of who asked. */
const ALWAYS = [
  'var/log',
  'var/spool/postfix',
  'var/lib/postfix',
  'var/lib/mailserver-helper/audit-requests.log',
  'var/lib/mailserver-helper/lock',
];

describe('past the web side', () => {
  let root: PostfixRoot;
  let listener: HelperSocket;
  let helper: Helper;
  let base: object;
  let publicKey: string;

  before(async () => {
    root = await startPostfixRoot();
    listener = await startListener(root);
    helper = createHelper(createSocketTransport({ path: listener.path }));
    const { sections } = await helper.call('read', { sections: ['base'] }, ACTOR);
    base = sections['base']?.settings as object;
    ({ publicKey } = await helper.call('describe', {}, ACTOR));
  });
  after(async () => {
    await listener.stop();
    await root.stop();
  });

  async function ask(line: string | Buffer): Promise<HelperFailure | undefined> {
    const socket = net.connect(listener.path);
    let text = '';
    socket.on('error', () => undefined).on('data', (chunk) => (text += chunk.toString()));
    await once(socket, 'connect');
    socket.write(line);
    await once(socket, 'close');
    return (JSON.parse(text) as { error?: HelperFailure }).error;
  }

  const request = (sections: object): string => {
    const params = { databaseId: randomUUID(), change: 1, dryRun: false, sections };
    const asked = { protocol: PROTOCOL_VERSION, action: 'apply', actor: 'attacker', params };
    return `${JSON.stringify(asked)}\n`;
  };
  const named = (name: string): object => ({ base: { ...base, mailServerName: name } });
  const local = (name: string): object => ({ domains: { names: ['a.example', name] } });

  it('every hostile name is refused, and no file changes', async () => {
    const before = await listFolder(root.places.root, ALWAYS);
    const texts = [...hostileTexts('/tmp/canary'), ...IDN_TRICKS];
    // Each is a process; every text against every field is in schemas.test.ts.
    const lines = texts.map((text, index) => request(index % 2 ? named(text) : local(text)));
    const bytes = (section: object): Buffer => {
      const [head = '', tail = ''] = request(section).split('HERE');
      return Buffer.concat([Buffer.from(head), Buffer.from([0xff, 0xc0, 0xae]), Buffer.from(tail)]);
    };
    const waiting: (string | Buffer)[] = [...lines, bytes(named('HERE')), bytes(local('HERE'))];
    const worker = async (): Promise<void> => {
      for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) {
        const failure = await ask(line);
        const what = String(line).slice(0, 400);
        assert.ok(['validate', 'protocol'].includes(failure?.stage ?? ''), what);
        assert.notEqual(failure?.key, 'helper.protocol.version', 'it has to come that far');
        assert.equal(failure?.restored, true, what);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    assert.deepEqual(changedPaths(before, await listFolder(root.places.root, ALWAYS)), []);
  });

  it('a sealed password opens for no other server, port, user or weaker connection', async () => {
    const own: SmarthostSettings = {
      ...NO_SMARTHOST,
      host: 'mail.example.org',
      port: 587,
      tls: 'starttls',
      verify: true,
      username: 'me',
    };
    const password = seal(publicKey, 'secret', bindingOf(own));
    const moved: readonly Partial<SmarthostSettings>[] = [
      { host: 'mail.attacker.example' },
      { port: 2587 },
      { username: 'you' },
      { mx: true },
      { verify: false },
      { tls: 'may', verify: false },
    ];
    for (const change of moved) {
      const failure = await ask(request({ smarthost: { ...own, password, ...change } }));
      assert.ok(failure?.restored, JSON.stringify(change));
      assert.ok(['render', 'validate'].includes(failure.stage), JSON.stringify(failure));
      assert.equal(JSON.stringify(failure).includes('secret'), false);
    }
    const params = { databaseId: randomUUID(), change: 1, dryRun: true };
    const sections = { smarthost: { ...own, password } };
    const { status } = await helper.call('apply', { ...params, sections }, ACTOR);
    assert.equal(status, 'preview', 'where it belongs, it opens');
  });
});
