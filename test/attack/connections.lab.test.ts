/** The helper against a web process that somebody else has taken over, and that uses its connections as it likes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { createHelper, type Helper } from '../../lib/client/helper.js';
import { createSocketTransport } from '../../lib/client/socket-transport.js';
import { startListener, type HelperSocket } from '../support/helper-sockets.js';
import { changedPaths, listFolder, type Listing } from '../support/listing.js';
import { startPostfixRoot, type PostfixRoot } from '../support/postfix-root.js';
import { until } from '../support/wait.js';
import { ALWAYS, helpersOf, requestOf as request, sayRaw } from './intruder.js';
import { PROTOCOL_VERSION } from '../../lib/privileged/protocol.js';

describe('a connection of a taken-over web process', () => {
  let root: PostfixRoot;
  let listener: HelperSocket;
  let helper: Helper;
  let calm: Listing;

  const listing = () => listFolder(root.places.root, ALWAYS);

  before(async () => {
    root = await startPostfixRoot({ started: false });
    listener = await startListener(root);
    helper = createHelper(createSocketTransport({ path: listener.path }));
    await helper.call('describe', {}, { actor: 'attacker' });
    calm = await listing();
  });
  after(async () => {
    await listener.stop();
    await root.stop();
  });
  afterEach(async () => {
    assert.deepEqual(changedPaths(calm, await listing()), [], 'a file changed');
    await until('the end of every helper', async () => (await helpersOf(listener)) === 0);
  });

  it('gets one answer to one request, and no second request on its connection', async () => {
    const answers = await sayRaw(
      listener.path,
      request('describe', {}),
      request('describe', {}),
      '{"item":1}\n{"end":true}\n',
    );
    assert.equal(answers.length, 1);
    assert.ok(answers[0]?.result);
  });

  it('holds up nobody for longer than it lasts by opening connections, saying half a line, reading nothing, or hanging up', async () => {
    const sockets = Array.from({ length: 120 }, () => net.connect(listener.path));
    for (const socket of sockets) socket.on('error', () => undefined);
    await Promise.all(
      sockets.map((socket) => Promise.race([once(socket, 'connect'), once(socket, 'close')])),
    );
    sockets.forEach((socket, index) => {
      socket.pause();
      if (index % 4 === 0) socket.write(`{"protocol":${PROTOCOL_VERSION},"act`);
      if (index % 4 === 1) socket.write(request('describe', {}));
      if (index % 4 === 2) socket.end();
    });
    await until('a helper', async () => (await helpersOf(listener)) > 0);
    for (const socket of sockets) socket.destroy();
    await until('an answer for somebody else', () =>
      helper.call('describe', {}, { actor: 'somebody' }).then(
        ({ protocol }) => protocol === PROTOCOL_VERSION,
        () => false,
      ),
    );
  });

  it('that says its request a byte at a time is sent away', async () => {
    const socket = net.connect(listener.path);
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    const timer = setInterval(() => socket.write(' '), 500);
    // A byte that comes when the helper has gone makes the end a reset, which `once` would throw.
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(timer);
    assert.match(text, /helper\.protocol\.slow/);
  });
});
