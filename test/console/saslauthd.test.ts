import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createSaslauthd } from '../../lib/console/sign-in/saslauthd.js';
import { startTestConsole } from '../support/test-console.js';

/** Speaks saslauthd's side of the socket; what it answers is decided by `reply`. */
function fakeSaslauthd(path: string, reply: (fields: string[], socket: Socket) => void): Server {
  const server = createServer((socket) => {
    let received = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const fields: string[] = [];
      let at = 0;
      while (at + 2 <= received.length && fields.length < 4) {
        const length = received.readUInt16BE(at);
        if (at + 2 + length > received.length) return;
        fields.push(received.toString('utf8', at + 2, at + 2 + length));
        at += 2 + length;
      }
      if (fields.length === 4) reply(fields, socket);
    });
  });
  return server.listen(path);
}

function framed(text: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(Buffer.byteLength(text));
  return Buffer.concat([length, Buffer.from(text)]);
}

describe('system passwords', () => {
  let folder: string;
  let path: string;
  let server: Server | null = null;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'saslauthd-'));
    path = join(folder, 'mux');
  });
  after(() => rm(folder, { recursive: true }));

  const withServer = async (
    reply: (fields: string[], socket: Socket) => void,
    run: () => Promise<void>,
  ) => {
    server = fakeSaslauthd(path, reply);
    try {
      await run();
    } finally {
      await new Promise((resolve) => server?.close(resolve));
    }
  };

  it('are right or wrong as saslauthd says, whole and with any character', async () => {
    const asked: string[][] = [];
    const reply = (fields: string[], socket: Socket): void => {
      asked.push(fields);
      const right = fields[1] === 'pä:ss "wörd"\\';
      // In two pieces: an answer may arrive in any.
      const answer = framed(right ? 'OK\0' : 'NO\0');
      socket.write(answer.subarray(0, 1));
      setImmediate(() => socket.end(answer.subarray(1)));
    };
    await withServer(reply, async () => {
      const passwords = createSaslauthd(path, 'console');
      assert.equal(await passwords.available(), true);
      assert.equal(await passwords.check('anna', 'pä:ss "wörd"\\'), 'right');
      assert.equal(await passwords.check('anna', 'wrong'), 'wrong');
      assert.deepEqual(asked[0], ['anna', 'pä:ss "wörd"\\', 'console', '']);
    });
  });

  it('are not even asked for with a NUL or without end', async () => {
    const reply = (_fields: string[], socket: Socket): void => void socket.end(framed('OK'));
    await withServer(reply, async () => {
      const passwords = createSaslauthd(path);
      assert.equal(await passwords.check('anna', 'a\0b'), 'wrong');
      assert.equal(await passwords.check('anna', 'x'.repeat(2000)), 'wrong');
    });
  });

  it('cannot be checked when nobody listens, hangs up, or talks nonsense', async () => {
    const passwords = createSaslauthd(path);
    assert.equal(await passwords.available(), false);
    assert.equal(await passwords.check('anna', 'x'), 'unavailable');
    await withServer(
      (_fields, socket) => socket.destroy(),
      async () => {
        assert.equal(await passwords.check('anna', 'x'), 'unavailable');
      },
    );
    await withServer(
      (_fields, socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\n'),
      async () => {
        assert.equal(await passwords.check('anna', 'x'), 'unavailable');
      },
    );
  });

  it('let people in to whom an administrator has given an account, and nobody else', async () => {
    const reply = ([login, password]: string[], socket: Socket): void => {
      socket.end(framed(login === password ? 'OK' : 'NO'));
    };
    const test = await startTestConsole({ systemPasswords: createSaslauthd(path) });
    try {
      await withServer(reply, async () => {
        await test.account('anna', { kind: 'system', level: 'read', manages: false }, '');
        assert.equal((await test.browser().signIn('anna', 'anna')).status, 303);
        assert.equal((await test.browser().signIn('anna', 'other')).status, 401);
        assert.equal((await test.browser().signIn('root', 'root')).status, 401);
        const own = test.browser();
        await own.signIn('anna', 'anna');
        const page = await own.get('/account');
        assert.doesNotMatch(page.text, /name="currentPassword"/, 'it is changed elsewhere');
      });
      const down = await test.browser().signIn('anna', 'anna');
      assert.equal(down.status, 503);
      assert.match(down.text, /saslauthd/);
    } finally {
      await test.close();
    }
  });
});
