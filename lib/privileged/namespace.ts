/**
 * A private mount namespace in which the stage stands where the real configuration is, with a queue and a log of its
 * own: native checkers and the shadow instance see absolute paths as they will be and touch nothing that lives.
 */
import { spawn } from 'node:child_process';
import { CLEAN_ENVIRONMENT, runNative, type NativeOptions, type NativeResult } from './native.js';

export interface PrivateNamespace {
  /** Runs a tool inside. */
  run(program: string, args: readonly string[], options?: NativeOptions): Promise<NativeResult>;
  bind(source: string, target: string): Promise<void>;
  /** An empty file system over `target`. */
  empty(target: string, options?: string): Promise<void>;
  /** How a path inside looks from outside. */
  pathInside(path: string): string;
  close(): void;
}

/** The namespace lives in a cat(1) that ends with our pipe to it, however we end. */
export async function openNamespace(): Promise<PrivateNamespace> {
  const holder = spawn(
    '/usr/bin/unshare',
    ['--mount', '--propagation', 'private', '--', '/bin/cat'],
    { stdio: ['pipe', 'pipe', 'ignore'], env: CLEAN_ENVIRONMENT, cwd: '/' },
  );
  holder.stdin.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    holder.once('error', reject);
    holder.once('exit', () => reject(new Error('no private mount namespace here')));
    holder.stdout.once('data', () => resolve());
    holder.stdin.write('\n');
  });
  const run: PrivateNamespace['run'] = (program, args, options) =>
    runNative(
      '/usr/bin/nsenter',
      ['-t', String(holder.pid), '-m', '--', program, ...args],
      options,
    );
  const mount = async (...args: string[]): Promise<void> => {
    const answer = await run('/usr/bin/mount', args);
    if (answer.code !== 0) throw new Error(`mount: ${answer.stderr.trim()}`);
  };
  return {
    run,
    bind: (source, target) => mount('--bind', source, target),
    empty: (target, options = 'mode=0755') => mount('-t', 'tmpfs', '-o', options, 'tmpfs', target),
    pathInside: (path) => `/proc/${holder.pid}/root${path}`,
    close: () => holder.stdin.end(),
  };
}
