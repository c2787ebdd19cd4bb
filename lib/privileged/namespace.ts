/**
 * A private mount namespace in which the stage stands where the real configuration is, with a queue and a log of its
 * own: native checkers and the shadow instance see absolute paths as they will be and touch nothing that lives.
 * It has process ids of its own too, so that all that runs in it ends with it, however it hangs and however we end.
 */
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { CLEAN_ENVIRONMENT, runNative, type NativeOptions, type NativeResult } from './native.js';

/** One mount, in the words of fstab(5). */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly type: 'none' | 'tmpfs';
  readonly options: string;
}

export function bind(source: string, target: string): Mount {
  return { source, target, type: 'none', options: 'bind' };
}

/** An empty file system over `target`. */
export function empty(target: string, options = 'mode=0755'): Mount {
  return { source: EMPTY_SOURCE, target, type: 'tmpfs', options };
}

/** A name no other mount has: mount(8) passes over what it takes for mounted already. */
const EMPTY_SOURCE = 'mailserver-stage';

export interface PrivateNamespace {
  /** Runs a tool inside. */
  run(program: string, args: readonly string[], options?: NativeOptions): Promise<NativeResult>;
  /** Throws when one of them cannot be made. */
  mount(mounts: readonly Mount[]): Promise<void>;
  /** How a path inside looks from outside. */
  pathInside(path: string): string;
  /** Ends all that runs inside. */
  close(): void;
}

/** The namespace lives in a cat(1) that ends with our pipe to it. `folder` is ours, for the list of mounts. */
export async function openNamespace(folder: string): Promise<PrivateNamespace> {
  const holder = spawn(
    '/usr/bin/unshare',
    [
      ...['--mount', '--propagation', 'private'],
      ...['--pid', '--fork', '--kill-child', '--', '/bin/cat'],
    ],
    { stdio: ['pipe', 'pipe', 'ignore'], env: CLEAN_ENVIRONMENT, cwd: '/' },
  );
  holder.stdin.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    holder.once('error', reject);
    holder.once('exit', () => reject(new Error('no private mount namespace here')));
    holder.stdout.once('data', () => resolve());
    holder.stdin.write('\n');
  });
  const own = `/proc/${holder.pid}`;
  const enter = [`--mount=${own}/ns/mnt`, `--pid=${own}/ns/pid_for_children`, '--'];
  const run: PrivateNamespace['run'] = (program, args, options) =>
    runNative('/usr/bin/nsenter', [...enter, program, ...args], options);
  return {
    run,
    mount: async (mounts) => {
      const list = `${folder}/fstab`;
      await writeFile(list, mounts.map(fstabLine).join(''), { mode: 0o600 });
      const answer = await run('/usr/bin/mount', ['--all', '--fstab', list]);
      if (answer.code !== 0) throw new Error(`mount: ${answer.stderr.trim()}`);
    },
    pathInside: (path) => `${own}/root${path}`,
    close: () => holder.stdin.end(),
  };
}

function fstabLine({ source, target, type, options }: Mount): string {
  const fields = [source, target, type, options].map((field) =>
    field.replace(/[\s\\#]/g, (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, '0')}`),
  );
  return `${fields.join(' ')} 0 0\n`;
}
