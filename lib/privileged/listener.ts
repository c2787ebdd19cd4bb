/**
 * Where no systemd listens for us: a root listener that starts the helper once per connection, with a clean environment
 * and the connection as its stdin and stdout. It reads nothing of what is said itself.
 */
import { spawn } from 'node:child_process';
import { chmod, chown, mkdir, readFile, unlink } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CLEAN_ENVIRONMENT } from './native.js';

/** Requests served at once. */
const MAX_CONNECTIONS = 16;
/** Connections that wait for their turn; more are closed at once. */
const MAX_WAITING = 64;

const PROGRAM = fileURLToPath(new URL('./main.js', import.meta.url));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string' },
      group: { type: 'string' },
      root: { type: 'string' },
    },
  });
  if (!values.socket) throw new Error('--socket PATH is needed');
  const gid = values.group ? await groupId(values.group) : (process.getgid?.() ?? 0);
  const uid = process.getuid?.() ?? 0;
  await mkdir(path.dirname(values.socket), { recursive: true, mode: 0o750 });
  await chown(path.dirname(values.socket), uid, gid);
  await chmod(path.dirname(values.socket), 0o750);
  await removeStale(values.socket);
  const args = values.root ? [PROGRAM, '--root', values.root] : [PROGRAM];
  const server = createListener(args);
  process.umask(0o117);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(values.socket, () => resolve());
  });
  await chown(values.socket, uid, gid);
  await chmod(values.socket, 0o660);
  const stop = (): void => {
    server.close();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.stdout.write('{"ready":true}\n');
}

function createListener(args: readonly string[]): net.Server {
  const waiting: net.Socket[] = [];
  let running = 0;
  const serve = (connection: net.Socket): void => {
    running += 1;
    const helper = spawn(process.execPath, args, {
      stdio: [connection, connection, 'inherit'],
      env: CLEAN_ENVIRONMENT,
      cwd: '/',
    });
    connection.destroy();
    let over = false;
    const done = (): void => {
      if (over) return;
      over = true;
      running -= 1;
      const next = waiting.shift();
      if (next) serve(next);
    };
    helper.once('exit', done);
    helper.once('error', done);
  };
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (connection) => {
    connection.on('error', () => undefined);
    if (running < MAX_CONNECTIONS) serve(connection);
    else waiting.push(connection);
  });
  // A connection that is served belongs to its helper and is not counted here any more.
  server.maxConnections = MAX_WAITING;
  return server;
}

/** A socket nobody answers on is left over from a kill; one that answers is another listener. */
async function removeStale(socket: string): Promise<void> {
  const answers = await new Promise<boolean>((resolve) => {
    const probe = net.connect(socket, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (answers) throw new Error(`another helper listens on ${socket}`);
  await unlink(socket).catch(() => undefined);
}

async function groupId(name: string): Promise<number> {
  const text = await readFile('/etc/group', 'utf8');
  const id = Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(':')[2],
  );
  if (!Number.isInteger(id)) throw new Error(`no group ${name}`);
  return id;
}

await main();
