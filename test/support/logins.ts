/** Who checks passwords for the Postfix of a private root: a real Dovecot, or a real saslauthd. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { PostfixRoot } from './postfix-root.js';
import { until } from './wait.js';

export interface Logins {
  stop(): Promise<void>;
}

/** Dovecot with one user, and the socket that Postfix looks for (SASL_README). */
export async function startDovecotLogins(
  root: PostfixRoot,
  { user, password }: { readonly user: string; readonly password: string },
): Promise<Logins> {
  const { queueDir } = root.places;
  const home = `${root.places.root}/var/lib/dovecot-logins`;
  await mkdir(home, { recursive: true });
  await chmod(home, 0o755);
  await writeFile(
    `${home}/users`,
    `${user}:{PLAIN.b64}${Buffer.from(password).toString('base64')}\n`,
  );
  await writeFile(
    `${home}/dovecot.conf`,
    `
base_dir = ${home}/run
state_dir = ${home}/state
log_path = ${root.places.root}/var/log/dovecot-logins.log
protocols =
ssl = no
auth_mechanisms = plain login
auth_failure_delay = 0
passdb {
  driver = passwd-file
  args = ${home}/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}
service auth {
  unix_listener ${queueDir}/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`,
  );
  const dovecot = startInRoot(root, ['/usr/sbin/dovecot', '-F', '-c', `${home}/dovecot.conf`]);
  return ready(dovecot, `${queueDir}/private/auth`);
}

/** saslauthd that asks the root's own passwd, where the user gets this password. */
export async function startSaslauthd(
  root: PostfixRoot,
  { user, password }: { readonly user: string; readonly password: string },
): Promise<Logins> {
  const file = `${root.places.root}/etc/passwd`;
  const hash = execFileSync('/usr/bin/openssl', ['passwd', '-6', password], { encoding: 'utf8' });
  const accounts = await readFile(file, 'utf8');
  // In place: this very file is what the root's processes see.
  await writeFile(file, accounts.replace(`${user}:x:`, `${user}:${hash.trim()}:`));
  const folder = `${root.places.root}/run/saslauthd`;
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o755);
  const args = ['-d', '-n', '1', '-a', 'getpwent', '-m', folder];
  return ready(startInRoot(root, ['/usr/sbin/saslauthd', ...args]), `${folder}/mux`);
}

/** In a process group of its own: saslauthd ends its whole group when it is told to end. */
function startInRoot({ enter }: PostfixRoot, command: readonly string[]): ChildProcess {
  const [program = '', ...args] = [...enter, ...command];
  return spawn(program, args, { stdio: 'ignore', cwd: '/', detached: true });
}

async function ready(daemon: ChildProcess, socket: string): Promise<Logins> {
  await until(`a listener on ${socket}`, async () => {
    if (daemon.exitCode !== null) throw new Error(`it ended: ${daemon.spawnargs.join(' ')}`);
    const lines = (await readFile('/proc/net/unix', 'utf8')).split('\n');
    return lines.some((line) => line.endsWith(` ${socket}`) && line.includes(' 00010000 '));
  });
  return {
    stop: async () => {
      if (daemon.exitCode !== null || daemon.signalCode !== null) return;
      const gone = once(daemon, 'exit');
      daemon.kill('SIGTERM');
      await gone;
    },
  };
}
