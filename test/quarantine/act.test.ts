/** What becomes of kept mail when something is not there that is needed for something else. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { quarantineActAction } from '../../lib/privileged/actions/quarantine-act.js';
import { pathsBelow, type Paths } from '../../lib/privileged/paths.js';
import { MACHINE_PORTS } from '../../lib/privileged/ports.js';
import { EMPTY_STATE, writeState } from '../../lib/privileged/state.js';
import { ACT_SLICE_MS, type QuarantineAction } from '../../lib/quarantine/schema.js';
import { QUARANTINE_FOLDER } from '../../lib/security/places.js';
import { SECURITY_DEFAULTS } from '../../lib/security/schema.js';

const ID = 'spam-abcdefghijkl';

describe('what is done with kept mail', () => {
  let paths: Paths;
  let postfix: Server;
  let taken: number;

  const act = (action: QuarantineAction, ids = [ID], progress: () => void = () => undefined) =>
    quarantineActAction.run(
      { action, evenInfected: false },
      {
        paths,
        items: (async function* () {
          yield await Promise.resolve(ids);
        })(),
        signal: new AbortController().signal,
        progress,
        changing: () => Promise.resolve(),
        taken: () => Promise.resolve(),
        registry: () => Promise.reject(new Error('not asked')),
      },
    );
  const kept = (): Promise<readonly string[]> => readdir(paths.root + QUARANTINE_FOLDER);

  before(async () => {
    postfix = createServer((socket) => {
      let inMail = false;
      const say = (line: string): void => void socket.write(`${line}\r\n`);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        for (const line of chunk.toString().split('\r\n').slice(0, -1)) {
          if (inMail && line !== '.') continue;
          if (inMail) taken += 1;
          inMail = line === 'DATA';
          say(inMail ? '354 go on' : '250 ok');
        }
      });
      say('220 here');
    }).listen(0, '127.0.0.1');
    await once(postfix, 'listening');
  });
  after(() => postfix.close());
  beforeEach(async () => {
    taken = 0;
    paths = pathsBelow(await mkdtemp(`${tmpdir()}/mailserver-kept-`));
    await mkdir(paths.root + QUARANTINE_FOLDER, { recursive: true });
    await mkdir(`${paths.root}/etc/mailserver`, { recursive: true });
    const ports = { ...MACHINE_PORTS, amavisBack: (postfix.address() as AddressInfo).port };
    await writeFile(`${paths.root}/etc/mailserver/ports.json`, JSON.stringify(ports));
    await writeFile(
      `${paths.root}${QUARANTINE_FOLDER}/${ID}`,
      'X-Envelope-From: <a@b.test>\nX-Envelope-To: <c@d.test>\nX-Quarantine-ID: <abcdefghijkl>\nSubject: x\n\ny\n',
    );
  });
  afterEach(() => rm(paths.root, { recursive: true }));

  it('keeps no mail that was delivered, though it could not be learnt', async () => {
    const security = { ...SECURITY_DEFAULTS, spam: true };
    await writeState(paths, { ...EMPTY_STATE, sections: { security } });
    // There is no /run below this root, so that learning fails.
    const result = await act('ham');
    assert.equal(taken, 1);
    assert.deepEqual(await kept(), []);
    assert.deepEqual([result.done, result.failed], [1, 0]);
    assert.deepEqual(
      result.failures.map(({ why }) => why),
      ['learn'],
    );
  });

  it('takes up no more mail when its time is over, and says how much is left', async (t) => {
    const others = ['spam-bcdefghijklm', 'spam-cdefghijklmn'];
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const late = (): void => t.mock.timers.tick(ACT_SLICE_MS + 1);
    const { done, left, cancelled } = await act('delete', [ID, ...others], late);
    assert.deepEqual({ done, left, cancelled }, { done: 1, left: 2, cancelled: false });
    assert.equal((await act('delete', others)).gone, 2);
  });

  it('deletes while there is no Postfix to deliver to', async () => {
    assert.equal((await act('delete')).done, 1);
    assert.deepEqual(await kept(), []);
  });
});
