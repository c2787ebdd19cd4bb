/** The console as a process of its own beside a lab, so that a benchmark can start it anew and look at its memory. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CONSOLE_NODE_OPTIONS } from '../lib/launch/console-memory.js';
import { PACKAGE_ROOT } from '../lib/package-root.js';
import { ConsoleClient } from '../test/support/console-client.js';

const KIB = 1024;

export interface ConsoleProcess {
  readonly client: ConsoleClient;
  /** Memory that is its own or that it shares, in bytes. */
  memory(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts it on the state folder; the first start makes the account and tells its password there. */
export async function startConsole(
  state: string,
  helperSocket: string,
  login: { user: string; password: string } | null,
): Promise<ConsoleProcess & { readonly login: { user: string; password: string } }> {
  const program = join(PACKAGE_ROOT, 'dist/lib/console/main.js');
  const child = spawn(process.execPath, [...CONSOLE_NODE_OPTIONS, program], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      MAILSERVER_STATE: state,
      MAILSERVER_HELPER_SOCKET: helperSocket,
      MAILSERVER_LISTEN: '127.0.0.1:0',
    },
  });
  const url = await readyUrl(child);
  const known =
    login ??
    (JSON.parse(await readFile(`${state}/first-login.json`, 'utf8')) as {
      user: string;
      password: string;
    });
  const client = await new ConsoleClient(url).signIn(known.user, known.password);
  return {
    login: known,
    client,
    async memory() {
      const status = await readFile(`/proc/${String(child.pid)}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * KIB;
    },
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function readyUrl(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('the console has no output');
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { ready?: boolean; url?: string };
    if (said.ready && said.url !== undefined) {
      child.stdout.resume();
      return said.url;
    }
  }
  throw new Error('the console did not start');
}
