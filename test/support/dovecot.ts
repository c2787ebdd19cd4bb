/** A real Dovecot as the groupware server of a private root: takes mail by LMTP for anybody, keeps it in Maildirs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { findFreePort } from '../../lib/free-port.js';
import { readMaildir } from './mailbox.js';
import type { PostfixRoot } from './postfix-root.js';
import { until } from './wait.js';

/** Debian's nobody and nogroup. */
const NOBODY = 65_534;

export interface Dovecot {
  readonly port: number;
  messages(login: string): Promise<string[]>;
  stop(): Promise<void>;
}

export async function startDovecot(
  { places: { root }, enter }: PostfixRoot,
  address = '127.0.0.1',
): Promise<Dovecot> {
  const port = await findFreePort();
  const home = `${root}/var/lib/dovecot`;
  const mail = `${home}/mail`;
  await mkdir(mail, { recursive: true });
  await chmod(home, 0o755);
  await chown(mail, NOBODY, NOBODY);
  await writeFile(
    `${home}/dovecot.conf`,
    `
base_dir = ${home}/run
state_dir = ${home}/state
log_path = ${root}/var/log/dovecot.log
protocols = lmtp
ssl = no
mail_location = maildir:${mail}/%n
first_valid_uid = 1
first_valid_gid = 1
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=${NOBODY} gid=${NOBODY} home=${mail}/%n allow_all_users=yes
}
service lmtp {
  inet_listener lmtp {
    address = ${address}
    port = ${port}
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`,
  );
  const [program = '', ...args] = [
    ...enter,
    '/usr/sbin/dovecot',
    '-F',
    '-c',
    `${home}/dovecot.conf`,
  ];
  const dovecot = spawn(program, args, { stdio: 'ignore', cwd: '/' });
  await until(`Dovecot on ${address} port ${port}`, () => {
    if (dovecot.exitCode !== null)
      throw new Error(`Dovecot ended, see ${root}/var/log/dovecot.log`);
    return answers(address, port);
  });
  return {
    port,
    messages: (login) => readMaildir(`${mail}/${login}`),
    stop: async () => {
      if (dovecot.exitCode !== null || dovecot.signalCode !== null) return;
      const gone = once(dovecot, 'exit');
      dovecot.kill('SIGTERM');
      await gone;
    },
  };
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
