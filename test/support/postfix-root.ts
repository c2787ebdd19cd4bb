/**
 * A private root with its own Postfix on loopback and its own users, for tests of the privileged side: the same tree a
 * lab has, without console and listener. Everything of it runs in one mount namespace and is gone after `stop()`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createProcessTransport } from '../../lib/client/process-transport.js';
import { createHelper, type Helper } from '../../lib/client/helper.js';
import type { HelperTransport } from '../../lib/contract.js';
import { configurePostfix } from '../../lib/lab/postfix.js';
import { endLabProcesses, identifyLab } from '../../lib/lab/processes.js';
import { makeTree } from '../../lib/lab/tree.js';
import { placesBelow, type Places } from '../../lib/launch/places.js';
import { runNative, type NativeOptions, type NativeResult } from '../../lib/privileged/native.js';
import { waitForEnd, workersOf } from '../../lib/privileged/services/processes.js';
import { releasedHelper } from './released-helper.js';

const HOLDER = fileURLToPath(new URL('./root-holder.js', import.meta.url));

export interface PostfixRoot {
  readonly places: Places;
  readonly smtpPort: number;
  /** A new process of the helper for every request. */
  readonly transport: HelperTransport;
  readonly helper: Helper;
  /** The command that runs a program among the root's own users and files: put it before program and arguments. */
  readonly enter: readonly string[];
  /** Runs a program inside. */
  run(program: string, args: readonly string[], options?: NativeOptions): Promise<NativeResult>;
  postfix(...args: string[]): Promise<NativeResult>;
  /** Has Postfix read its configuration again. Resolves once no idle process with the old one takes a connection. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

export interface PostfixRootOptions {
  /** A network with nothing in it but a loopback of its own, where every port is free. */
  readonly ownNetwork?: boolean;
  /** Whether Postfix is started; it is unless this is false. */
  readonly started?: boolean;
  /** Prepares the folder's parent: a small file system to be filled up, for instance. */
  readonly below?: string;
  /** Told the pid of each helper that starts. */
  readonly onHelper?: (pid: number) => void;
}

/** How long the idle processes with the old configuration may take to end, in milliseconds: long, for a busy machine. */
const RELOAD_LIMIT_MS = 30_000;

/** Throws when this is not root on a machine with Postfix: such a test must fail, not pass unseen. */
export async function startPostfixRoot(options: PostfixRootOptions = {}): Promise<PostfixRoot> {
  if (process.getuid?.() !== 0)
    throw new Error('this test needs root, to run a Postfix of its own');
  const root = await realpath(await mkdtemp(path.join(options.below ?? tmpdir(), 'mailserver-')));
  await chmod(root, 0o711);
  const places = placesBelow(root);
  await makeTree(places);
  const smtpPort = await configurePostfix(places);
  const identity = await identifyLab(places);
  const holder = spawn(
    '/usr/bin/unshare',
    [
      ...['--mount', '--propagation', 'private', ...(options.ownNetwork ? ['--net'] : [])],
      ...['--', process.execPath, HOLDER, root],
    ],
    { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/' },
  );
  holder.stdin.on('error', () => undefined);
  await Promise.race([
    once(holder.stdout, 'data'),
    once(holder, 'exit').then(() => Promise.reject(new Error('no private root here'))),
  ]);
  const network = options.ownNetwork ? ['-n'] : [];
  const enter = ['/usr/bin/nsenter', '-t', String(holder.pid), '-m', ...network, '--'];
  const run: PostfixRoot['run'] = (program, args, native) =>
    runNative(enter[0] ?? '', [...enter.slice(1), program, ...args], native);
  if (options.ownNetwork) await run('/usr/sbin/ip', ['link', 'set', 'lo', 'up']);
  const postfix: PostfixRoot['postfix'] = (...args) =>
    run('/usr/sbin/postfix', ['-c', places.configDir, ...args]);
  const reload = async (): Promise<void> => {
    const before = await workersOf(places);
    const answer = await postfix('reload');
    if (answer.code !== 0) throw new Error(`Postfix did not reload: ${answer.stderr}`);
    // One that serves somebody meanwhile ends when it has done so.
    await waitForEnd(places, before, RELOAD_LIMIT_MS);
  };
  const stop = async (): Promise<void> => {
    holder.stdin.end();
    await endLabProcesses(identity);
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  };
  if (options.started !== false) {
    const answer = await postfix('start');
    if (answer.code !== 0) {
      await stop();
      throw new Error(`Postfix did not start: ${answer.stderr}`);
    }
  }
  const transport = createProcessTransport({
    root,
    enter,
    ...(options.onHelper ? { onStart: options.onHelper } : {}),
    program: await releasedHelper(),
  });
  return {
    places,
    smtpPort,
    transport,
    helper: createHelper(transport),
    enter,
    run,
    postfix,
    reload,
    stop,
  };
}
