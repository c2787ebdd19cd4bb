/** A private PostgreSQL server: own folder, unix socket only, started and stopped by the test. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { until } from './wait.js';

const VERSIONS = '/usr/lib/postgresql';

export interface PostgresServer {
  /** `DATABASE_URL` of a new, empty database. */
  createDatabase(): Promise<string>;
  /** Kills the server and all its processes, as a crash of the machine would; the folder stays. */
  kill(): Promise<void>;
  /** Starts it again after a kill. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function startPostgres(): Promise<PostgresServer> {
  const programs = join(VERSIONS, newestVersion(), 'bin');
  const folder = mkdtempSync(join(tmpdir(), 'mailserver-pg-'));
  // The server refuses to run as root.
  const user = process.getuid?.() === 0 ? postgresUser() : null;
  const as = user ?? {};
  // The console of a lab is a user of its own, who has to get at the socket; the data are the server's alone.
  chmodSync(folder, 0o711);
  if (user) chownSync(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const encoding = ['--encoding=UTF8', '--locale=C.UTF-8'];
  await promisify(execFile)(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', ...encoding],
    { ...as, cwd: folder },
  );
  const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'fsync=off'];
  let server: ChildProcess;
  let exited: Promise<void>;
  const launch = (): void => {
    server = spawn(
      join(programs, 'postgres'),
      ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
      { ...as, cwd: folder, stdio: 'ignore' },
    );
    exited = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  };
  launch();
  const urlOf = (name: string) =>
    `postgres:///${name}?host=${encodeURIComponent(folder)}&user=postgres`;
  const ask = async (sql: string) => {
    const client = new Client({ connectionString: urlOf('postgres') });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await until('PostgreSQL to start', () =>
    ask('select 1')
      .then(() => true)
      .catch(() => false),
  );
  let databases = 0;
  return {
    createDatabase: async () => {
      databases += 1;
      const name = `test_${databases}`;
      await ask(`create database ${name}`);
      return urlOf(name);
    },
    kill: async () => {
      // Its processes end with it; what they had written stays, as after a crash.
      server.kill('SIGKILL');
      await exited;
    },
    start: () =>
      until('PostgreSQL to start again', async () => {
        // It refuses while a process of the killed one is still there.
        if (server.exitCode !== null || server.signalCode !== null) launch();
        return ask('select 1').then(
          () => true,
          () => false,
        );
      }).then(() => undefined),
    stop: async () => {
      server.kill('SIGINT');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function newestVersion(): string {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).map(Number) : [];
  if (versions.length === 0)
    throw new Error(`no PostgreSQL below ${VERSIONS}: apt install postgresql`);
  return String(Math.max(...versions));
}

function postgresUser(): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'));
  if (!line) throw new Error('there is no user postgres to run the server as');
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}
