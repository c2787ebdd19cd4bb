import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { PACKAGE_ROOT } from '../../lib/package-root.js';

interface Started {
  readonly child: ChildProcess;
  readonly ready: { readonly ready: boolean; readonly url: string };
}

describe('the process of the console', () => {
  let folder: string;
  let state: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'console-'));
    state = join(folder, 'state');
  });
  after(() => rm(folder, { recursive: true }));

  const program = [join(PACKAGE_ROOT, 'dist/lib/console/main.js')];
  const launch = (env: Record<string, string>) =>
    spawn(process.execPath, program, {
      env: { MAILSERVER_STATE: state, MAILSERVER_LOG_LEVEL: 'error', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const start = async (env: Record<string, string>): Promise<Started> => {
    const child = launch(env);
    child.stderr.pipe(process.stderr);
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    return { child, ready: JSON.parse(line) as Started['ready'] };
  };
  const stop = async (child: ChildProcess): Promise<number | null> => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const [code] = (await ended) as [number | null];
    return code;
  };
  const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

  it('says when it serves, leaves the first login closed to others, and ends on SIGTERM', async () => {
    const { child, ready } = await start({ MAILSERVER_LISTEN: '127.0.0.1:0' });
    assert.equal(ready.ready, true);
    const page = await fetch(new URL('/login', ready.url));
    assert.equal(page.status, 200);
    const first = JSON.parse(await readFile(join(state, 'first-login.json'), 'utf8')) as {
      user: string;
      password: string;
    };
    assert.equal(first.user, 'admin');
    assert.ok(first.password.length > 15);
    assert.equal(await mode(state), '700');
    assert.equal(await mode(join(state, 'first-login.json')), '600');
    assert.equal(await mode(join(state, 'session-secret')), '600');
    assert.equal(await stop(child), 0);
  });

  it('keeps its secret over a restart, makes no second first login, and serves on a unix socket', async () => {
    const secret = await readFile(join(state, 'session-secret'), 'utf8');
    await rm(join(state, 'first-login.json'));
    const path = join(folder, 'console.sock');
    const { child, ready } = await start({ MAILSERVER_LISTEN: `unix:${path}` });
    assert.equal(ready.url, `unix:${path}`);
    assert.equal(await mode(path), '660');
    const status = await new Promise((resolve, reject) => {
      request({ socketPath: path, path: '/login' }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on('error', reject)
        .end();
    });
    assert.equal(status, 200);
    await assert.rejects(stat(join(state, 'first-login.json')));
    assert.equal(await readFile(join(state, 'session-secret'), 'utf8'), secret);
    assert.equal(await stop(child), 0);
  });

  it('serves, and ends, while the disk of its log is full', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, program, {
      env: { MAILSERVER_STATE: state, MAILSERVER_LISTEN: '127.0.0.1:0' },
      stdio: ['ignore', 'pipe', full],
    });
    closeSync(full);
    const ended = once(child, 'exit');
    const [line] = (await once(createInterface({ input: child.stdout as Readable }), 'line')) as [
      string,
    ];
    const { url } = JSON.parse(line) as Started['ready'];
    assert.equal((await fetch(new URL('/login', url))).status, 200);
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
  });

  it('does not start with a trusted header on a TCP port, and says why', async () => {
    const child = launch({
      MAILSERVER_LISTEN: '127.0.0.1:0',
      MAILSERVER_TRUSTED_USER_HEADER: 'X-Remote-User',
    });
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => (words += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 1);
    assert.match(words, /MAILSERVER_TRUSTED_USER_HEADER needs MAILSERVER_LISTEN=unix:/);
  });
});
