/** One contract for the three ways to the helper: systemd's socket, our own listener, a direct start. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createHelper } from '../../lib/client/helper.js';
import { createSocketTransport } from '../../lib/client/socket-transport.js';
import type { HelperTransport } from '../../lib/contract.js';
import { HelperError, type HelperStage } from '../../lib/errors.js';
import { takeLock } from '../../lib/privileged/lock.js';
import { MAX_LINE_BYTES } from '../../lib/privileged/protocol.js';
import {
  startListener,
  startSocketActivation,
  type HelperSocket,
} from '../support/helper-sockets.js';
import { requestOf, sayRaw } from '../attack/intruder.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { until } from '../support/wait.js';
import { PROTOCOL_VERSION } from '../../lib/privileged/protocol.js';

const ACTOR = { actor: 'jürgen' };

function failsAt(stage: HelperStage, key: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof HelperError, String(error));
    assert.deepEqual([error.stage, error.key], [stage, key]);
    return true;
  };
}

function isRestored(error: unknown, restored: boolean): boolean {
  return error instanceof HelperError && error.restored === restored;
}

describe('the helper', () => {
  let root: PostfixRoot;
  let listener: HelperSocket;
  let activated: HelperSocket;
  const started: number[] = [];

  before(async () => {
    root = await startPostfixRoot({ onHelper: (pid) => started.push(pid) });
    [listener, activated] = await Promise.all([
      startListener(root, { NODE_OPTIONS: '--no-warnings', CANARY: 'from the one who started it' }),
      startSocketActivation(root),
    ]);
  });
  after(async () => {
    await listener.stop();
    await activated.stop();
    await root.stop();
  });

  const ways: Record<string, () => HelperTransport> = {
    'behind a socket of systemd': () => createSocketTransport({ path: activated.path }),
    'behind our own listener': () => createSocketTransport({ path: listener.path }),
    'started directly': () => root.transport,
  };

  for (const [way, transport] of Object.entries(ways)) {
    describe(way, () => {
      it('says who it is', async () => {
        const found = await createHelper(transport()).call('describe', {}, ACTOR);
        assert.equal(found.protocol, PROTOCOL_VERSION);
        assert.match(found.publicKey, /^[\w-]{43}$/);
        assert.equal(found.postfix.running, true);
      });

      it('gives its answer to each of many that ask at once', async () => {
        const asked = ['base', 'domains', 'base', 'domains', 'base', 'domains'];
        const helper = createHelper(transport());
        const answers = await Promise.all(
          asked.map((id) => helper.call('read', { sections: [id] }, ACTOR)),
        );
        assert.deepEqual(
          answers.map((answer) => Object.keys(answer.sections)),
          asked.map((id) => [id]),
        );
      });

      it('says at which stage it refuses, and why', async () => {
        const ask = (action: string, params: Record<string, unknown>) =>
          transport().request(action, params, ACTOR);
        await assert.rejects(ask('format', {}), failsAt('protocol', 'helper.protocol.action'));
        await assert.rejects(ask('constructor', {}), failsAt('protocol', 'helper.protocol.action'));
        await assert.rejects(ask('read', {}), failsAt('validate', 'helper.validate.params'));
        await assert.rejects(
          ask('describe', { x: 1 }),
          failsAt('validate', 'helper.validate.params'),
        );
        const nonsense = ask('read', { sections: ['nonsense'] });
        await assert.rejects(nonsense, failsAt('validate', 'helper.validate.section'));
      });

      it('previews a change and leaves everything as it was', async () => {
        const { ino, mtimeMs } = await stat(`${root.places.configDir}/main.cf`);
        const helper = createHelper(transport());
        const { sections } = await helper.call('read', { sections: ['base'] }, ACTOR);
        const result = await helper.call(
          'apply',
          {
            databaseId: randomUUID(),
            change: 0,
            dryRun: true,
            sections: {
              base: { ...(sections['base']?.settings as object), mailServerName: 'x.example' },
            },
          },
          ACTOR,
        );
        assert.equal(result.status, 'preview');
        assert.match(result.files[0]?.diff ?? '', /^\+myhostname = x\.example$/m);
        const now = await stat(`${root.places.configDir}/main.cf`);
        assert.deepEqual([now.ino, now.mtimeMs], [ino, mtimeMs]);
      });

      it('is not asked by who has given up already, and not waited for longer than wanted', async () => {
        const { action, params } = { action: 'describe', params: {} };
        const over = transport().request(action, params, { ...ACTOR, signal: AbortSignal.abort() });
        await assert.rejects(over, failsAt('run', 'helper.connect.cancelled'));
        const late = transport().request(action, params, { ...ACTOR, timeoutMs: 1 });
        await assert.rejects(late, failsAt('run', 'helper.connect.timeout'));
      });

      it('refuses a request that is too long without reading it all', async () => {
        const call = transport().request('read', { sections: ['x'.repeat(MAX_LINE_BYTES)] }, ACTOR);
        await assert.rejects(call, failsAt('protocol', 'helper.protocol.long'));
      });
    });
  }

  it('answers as ever when it was told what to expect', async () => {
    const expected = (action: string) => `{"protocol":${PROTOCOL_VERSION},"standby":"${action}"}\n`;
    for (const { path } of [activated, listener]) {
      const [right] = await sayRaw(path, expected('describe'), requestOf('describe', {}));
      assert.equal((right?.result as { protocol: number }).protocol, PROTOCOL_VERSION);
      const [other] = await sayRaw(path, expected('apply'), requestOf('describe', {}));
      assert.equal((other?.result as { protocol: number }).protocol, PROTOCOL_VERSION);
      const [wrong] = await sayRaw(path, expected('constructor'));
      assert.equal(wrong?.error?.key, 'helper.protocol.action');
    }
  });

  it('that was expected and not needed ends, and says so nowhere', async () => {
    const log = () =>
      readFile(`${root.places.root}/var/lib/mailserver-helper/audit-requests.log`, 'utf8');
    const before = await log();
    const socket = net.connect(listener.path);
    socket.write(`{"protocol":${PROTOCOL_VERSION},"standby":"apply"}\n`);
    await until('its start', () => childOf(listener.listener.pid ?? 0));
    socket.destroy();
    await until('its end', async () => (await childOf(listener.listener.pid ?? 0)) === null);
    assert.equal(await log(), before);
  });

  it('that dies is told from one that refuses', async () => {
    const before = started.length;
    const call = root.transport.request('describe', {}, ACTOR);
    call.catch(() => undefined);
    process.kill(await until('a helper', () => started[before]), 'SIGKILL');
    await assert.rejects(call, failsAt('run', 'helper.connect.cut'));
  });

  it('that hangs is given up, and answers the next one once it goes on', async () => {
    const patience = { lookMs: 50, silenceMs: 50 };
    const hasty = createSocketTransport({ path: listener.path, patience });
    listener.listener.kill('SIGSTOP');
    try {
      for (const [action, restored] of [
        ['describe', true],
        ['security-repair', false],
      ] as const) {
        await assert.rejects(
          hasty.request(action, {}, ACTOR),
          (error) => failsAt('run', 'helper.connect.timeout')(error) && isRestored(error, restored),
        );
      }
    } finally {
      listener.listener.kill('SIGCONT');
    }
    const helper = createHelper(createSocketTransport({ path: listener.path }));
    assert.equal((await helper.call('describe', {}, ACTOR)).protocol, PROTOCOL_VERSION);
  });

  it('gives signs of life while it waits for the save before', async () => {
    await createHelper(root.transport).call('record', {}, ACTOR);
    const lock = await takeLock(`${root.places.stateDir}/lock`);
    const socket = net.connect(listener.path);
    const said: string[] = [];
    socket.on('data', (chunk) => said.push(...chunk.toString().trim().split('\n')));
    try {
      socket.write(requestOf('record', {}));
      assert.equal(await until('a sign of life', () => said[0]), '{"alive":true}');
    } finally {
      lock.release();
    }
    assert.match(
      await until('the answer', () => said.find((line) => line !== said[0])),
      /^\{"result":/,
    );
    socket.destroy();
  });

  it('that is not there is told from one that refuses', async () => {
    const nowhere = createSocketTransport({ path: `${root.places.root}/run/nobody.sock` });
    await assert.rejects(
      nowhere.request('describe', {}, ACTOR),
      failsAt('connect', 'helper.connect.refused'),
    );
  });

  it('gets no environment from whoever started its listener, and closes the door to others', async () => {
    const socket = net.connect(listener.path);
    const pid = await until('a helper of the listener', () => childOf(listener.listener.pid ?? 0));
    const environment = (await readFile(`/proc/${pid}/environ`, 'latin1')).split('\0').sort();
    socket.destroy();
    assert.deepEqual(
      environment.filter((entry) => /NODE_OPTIONS|CANARY|LD_/.test(entry)),
      [],
    );
    assert.equal((await stat(listener.path)).mode & 0o777, 0o660);
    assert.equal((await stat(`${root.places.root}/run/mailserver`)).mode & 0o777, 0o750);
  });

  it('has no second listener on one socket, and takes over a socket that a kill left', async () => {
    const second = await root.run(process.execPath, [
      new URL('../../lib/privileged/listener.js', import.meta.url).pathname,
      ...['--socket', listener.path, '--root', root.places.root],
    ]);
    assert.notEqual(second.code, 0);
    assert.match(second.stderr, /another helper listens/);
    listener.listener.kill('SIGKILL');
    await until('the end of the listener', () => listener.listener.signalCode);
    listener = await startListener(root);
    const again = createSocketTransport({ path: listener.path });
    await until('an answer', () =>
      again.request('describe', {}, ACTOR).then(
        () => true,
        () => false,
      ),
    );
  });
});

async function childOf(parent: number): Promise<number | null> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    if (Number(/\) \S (\d+)/.exec(status)?.[1]) === parent) return Number(name);
  }
  return null;
}
