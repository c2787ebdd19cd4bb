import assert from 'node:assert/strict';
import net from 'node:net';
import { rm, mkdtemp } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createSocketTransport } from '../../lib/client/socket-transport.js';
import { SPARE_LIFETIME_MS } from '../../lib/client/spare.js';
import { until } from '../support/wait.js';

const EXPECTED = '{"protocol":2,"standby":"apply"}';
const ACTOR = { actor: 'admin' };

describe('a helper that is started ahead of its request', () => {
  let folder: string;
  let path: string;
  let server: net.Server;
  const sockets = new Set<net.Socket>();
  /** What came over each connection, in the order in which they were made. */
  let heard: { readonly socket: net.Socket; readonly lines: () => readonly string[] }[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mailserver-spare-'));
    path = join(folder, 'helper.sock');
    server = net.createServer({ allowHalfOpen: true }, (socket) => {
      let text = '';
      const lines = (): string[] => text.split('\n').slice(0, -1);
      heard.push({ socket, lines });
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const last = lines().at(-1);
        if (last?.includes('"action"')) socket.end(`{"result":${heard.length}}\n`);
      });
    });
    await once(server.listen(path), 'listening');
  });
  beforeEach(() => (heard = []));
  after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(folder, { recursive: true });
  });

  const expectOne = async (transport = createSocketTransport({ path })) => {
    transport.expect?.('apply');
    await until('the word', () => heard[0]?.lines().includes(EXPECTED));
    return transport;
  };
  const actionsOf = (connection: number): unknown[] =>
    (heard[connection]?.lines() ?? []).map(
      (line) => (JSON.parse(line) as { action?: string }).action,
    );

  it('is the one that is asked, once', async () => {
    const transport = await expectOne();
    transport.expect?.('apply');
    await transport.request('apply', {}, ACTOR);
    await transport.request('apply', {}, ACTOR);
    assert.deepEqual([actionsOf(0), actionsOf(1)], [[undefined, 'apply'], ['apply']]);
    assert.equal(heard.length, 2);
  });

  it('is left alone by other requests', async () => {
    const transport = await expectOne();
    await transport.request('describe', {}, ACTOR);
    await transport.request('apply', {}, ACTOR);
    assert.deepEqual([actionsOf(0), actionsOf(1)], [[undefined, 'apply'], ['describe']]);
  });

  it('is not asked once it has ended, or said something unasked', async () => {
    for (const end of [
      (socket: net.Socket) => socket.end(),
      (socket: net.Socket) => socket.write('{"error":{}}\n'),
    ]) {
      heard = [];
      const transport = await expectOne();
      const socket = heard[0]?.socket;
      assert.ok(socket);
      end(socket);
      await until('the end of the connection', () => socket.readableEnded);
      assert.equal(await transport.request('apply', {}, ACTOR), 2);
    }
  });

  it('is not asked when it has waited too long', async (t) => {
    const transport = await expectOne();
    const now = performance.now();
    t.mock.method(performance, 'now', () => now + SPARE_LIFETIME_MS + 1);
    await transport.request('apply', {}, ACTOR);
    assert.deepEqual([actionsOf(0), actionsOf(1)], [[undefined], ['apply']]);
  });

  it('is not missed where nobody listens', async () => {
    const nowhere = createSocketTransport({ path: join(folder, 'nobody.sock') });
    nowhere.expect?.('apply');
    await assert.rejects(nowhere.request('apply', {}, ACTOR), /helper.connect.refused/);
  });
});
