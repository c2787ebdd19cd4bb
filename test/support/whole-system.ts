/**
 * Console, helper's listener and Postfix as they run on a machine, each in its own process, to be killed and started again
 * as often as a test likes (a lab gives up on what ends again and again).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createHelper, type Helper } from '../../lib/client/helper.js';
import { createSocketTransport } from '../../lib/client/socket-transport.js';
import { findFreePort } from '../../lib/free-port.js';
import { ConsoleClient } from './console-client.js';
import { startListener, type HelperSocket } from './helper-sockets.js';
import { startPostfixRoot, type PostfixRoot } from './postfix-root.js';

const CONSOLE = fileURLToPath(new URL('../../lib/console/main.js', import.meta.url));

export type Part = 'console' | 'helper';

export interface WholeSystemOptions {
  /** The database server; else the embedded one. */
  readonly databaseUrl?: string;
  /** Where the console keeps its state; else in the private root. */
  readonly stateDir?: string;
}

export class WholeSystem {
  #console: ChildProcess | null = null;
  #listener: HelperSocket | null = null;
  #browser: ConsoleClient | null = null;

  private constructor(
    readonly root: PostfixRoot,
    private readonly port: number,
    private readonly options: WholeSystemOptions,
  ) {}

  static async start(options: WholeSystemOptions = {}): Promise<WholeSystem> {
    const root = await startPostfixRoot();
    const system = new WholeSystem(root, await findFreePort(), options);
    try {
      await mkdir(system.stateDir, { recursive: true, mode: 0o700 });
      await system.restore();
      const first = await readFile(`${system.stateDir}/first-login.json`, 'utf8');
      const { user, password } = JSON.parse(first) as { user: string; password: string };
      const browser = new ConsoleClient(`http://127.0.0.1:${system.port}`);
      system.#browser = await browser.signIn(user, password);
      return system;
    } catch (error) {
      await system.stop();
      throw error;
    }
  }

  get stateDir(): string {
    return this.options.stateDir ?? this.root.places.consoleState;
  }

  /** Of the first administrator. */
  get browser(): ConsoleClient {
    if (!this.#browser) throw new Error('nobody is signed in yet');
    return this.#browser;
  }

  /** Over the socket, as the console asks it. */
  get helper(): Helper {
    return createHelper(createSocketTransport({ path: this.#listener?.path ?? '' }));
  }

  /** Kills these parts at the same moment; of the helper also whatever works for a request. */
  async kill(parts: readonly Part[]): Promise<void> {
    const victims = parts.flatMap((part) =>
      part === 'console' ? [this.#console] : [this.#listener?.listener ?? null],
    );
    const listener = this.#listener?.listener.pid;
    const working =
      parts.includes('helper') && listener !== undefined ? await childrenOf(listener) : [];
    const gone = victims.flatMap((one) => (one && isAlive(one) ? [once(one, 'exit')] : []));
    for (const one of victims) one?.kill('SIGKILL');
    for (const pid of working) killIfThere(pid);
    await Promise.all(gone);
  }

  /** Kills what works for a request, and leaves the listener. */
  async killRequests(): Promise<void> {
    const listener = this.#listener?.listener.pid;
    for (const pid of listener === undefined ? [] : await childrenOf(listener)) killIfThere(pid);
  }

  /** Resolves when the console has ended by itself. */
  async consoleEnds(): Promise<void> {
    if (this.#console && isAlive(this.#console)) await once(this.#console, 'exit');
  }

  /** Starts what does not run. */
  async restore(): Promise<void> {
    if (!this.#listener || !isAlive(this.#listener.listener)) {
      this.#listener = await startListener(this.root);
    }
    if (!this.#console || !isAlive(this.#console)) await this.#startConsole();
  }

  async stop(): Promise<void> {
    if (this.#console && isAlive(this.#console)) {
      const gone = once(this.#console, 'exit');
      this.#console.kill('SIGTERM');
      await gone;
    }
    await this.#listener?.stop();
    await this.root.stop();
  }

  async #startConsole(): Promise<void> {
    const { places, enter } = this.root;
    const [program = '', ...args] = [...enter, process.execPath, '--enable-source-maps', CONSOLE];
    const log = openSync(`${places.root}/var/log/console.log`, 'a');
    const { databaseUrl } = this.options;
    const child = spawn(program, args, {
      cwd: '/',
      stdio: ['ignore', 'pipe', log],
      env: {
        MAILSERVER_STATE: this.stateDir,
        MAILSERVER_HELPER_SOCKET: this.#listener?.path,
        MAILSERVER_LISTEN: `127.0.0.1:${this.port}`,
        ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
      },
    });
    closeSync(log);
    this.#console = child;
    await Promise.race([
      once(createInterface({ input: child.stdout as NonNullable<typeof child.stdout> }), 'line'),
      once(child, 'exit').then(async () => {
        const said = await readFile(`${places.root}/var/log/console.log`, 'utf8');
        throw new Error(`the console did not start: ${said.slice(-2_000)}`);
      }),
    ]);
  }
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was faster.
  }
}

/** The processes that one has started itself. */
export async function childrenOf(parent: number): Promise<readonly number[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    ids.map((id) => readFile(`/proc/${id}/stat`, 'utf8').catch(() => '')),
  );
  return ids
    .filter((_, index) => Number(/\) \S (\d+)/.exec(lines[index] ?? '')?.[1]) === parent)
    .map(Number);
}
