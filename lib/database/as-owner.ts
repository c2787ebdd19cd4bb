/**
 * Work on the embedded database belongs to the owner of the state folder: what root makes in it, the console could not
 * open any more. So root's command line starts itself anew as that user, and opens the file that goes in or out itself.
 */
import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';

const SETPRIV = '/usr/bin/setpriv';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whom to become; null when the folder is ours or not there yet, or when we are not root. */
export async function ownerToBecome(stateDir: string): Promise<Owner | null> {
  if (process.getuid?.() !== 0) return null;
  try {
    const { uid, gid } = await stat(stateDir);
    return uid === 0 ? null : { uid, gid };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/**
 * Runs this program with `args` as `owner`, with these descriptors as its stdin and stdout. Says whether it went well;
 * what did not, it has said on stderr.
 */
export function runAsOwner(
  { uid, gid }: Owner,
  args: readonly string[],
  stateDir: string,
  {
    input = 'ignore',
    output = 'ignore',
  }: { input?: number | 'ignore'; output?: number | 'ignore' },
): Promise<boolean> {
  const identity = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--inh-caps=-all'];
  const program = [process.execPath, ...process.execArgv, process.argv[1] ?? '', ...args];
  const child = spawn(SETPRIV, [...identity, '--no-new-privs', '--', ...program], {
    stdio: [input, output, 'inherit'],
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', MAILSERVER_STATE: stateDir },
    cwd: '/',
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code === 0));
  });
}
