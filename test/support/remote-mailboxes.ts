/**
 * A provider's mailboxes for tests of fetching: a real Dovecot with IMAP and POP3, plain, STARTTLS and TLS, on ports of its
 * own of this machine's loopback. Each name it answers to has a certificate of its own; see `CERTIFICATES`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../../lib/free-port.js';
import { makeAuthority, makeCertificate, type CertificateOptions } from './certificate.js';
import { until } from './wait.js';

/** Debian's nobody and nogroup. */
const NOBODY = 65_534;

/** By the name a client asks for. `expired` has run out, `wrong` is made out to another name, nobody vouches for `self`. */
const CERTIFICATES = {
  'good.fetch.test': { names: ['good.fetch.test'] },
  'expired.fetch.test': { names: ['expired.fetch.test'], days: -1 },
  'wrong.fetch.test': { names: ['elsewhere.fetch.test'] },
  'self.fetch.test': { names: ['self.fetch.test'] },
} satisfies Record<string, Omit<CertificateOptions, 'issuer'>>;

/** For the hosts file of whoever is to find them. */
export const REMOTE_HOSTS = `127.0.0.1 ${Object.keys(CERTIFICATES).join(' ')}\n`;

export interface RemoteMailboxes {
  readonly ports: {
    readonly imap: number;
    readonly imaps: number;
    readonly pop3: number;
    readonly pop3s: number;
  };
  /** A folder as OpenSSL wants it, with the authority that signed the good certificates. */
  readonly authorities: string;
  /** Gives somebody a mailbox; Base64 in the file, since any character may be in a password. */
  addUser(user: string, password: string): Promise<void>;
  /** Puts messages into somebody's inbox, or another folder, as they are. */
  put(user: string, messages: readonly string[], folder?: string): Promise<void>;
  /** How many messages somebody has there, read or not. */
  count(user: string): Promise<number>;
  log(): Promise<string>;
  stop(): Promise<void>;
}

export async function startRemoteMailboxes(
  mechanisms = 'plain login cram-md5 apop',
): Promise<RemoteMailboxes> {
  const folder = await mkdtemp(join(tmpdir(), 'mailserver-remote-'));
  await chmod(folder, 0o755);
  for (const name of ['mail', 'certs', 'ca']) await mkdir(`${folder}/${name}`);
  await chown(`${folder}/mail`, NOBODY, NOBODY);
  const users = `${folder}/users`;
  await writeFile(users, '');
  await writeCertificates(`${folder}/certs`, `${folder}/ca`);
  const ports = {
    imap: await findFreePort(),
    imaps: await findFreePort(),
    pop3: await findFreePort(),
    pop3s: await findFreePort(),
  };
  await writeFile(`${folder}/dovecot.conf`, configuration(folder, ports, mechanisms));
  const dovecot = spawn('/usr/sbin/dovecot', ['-F', '-c', `${folder}/dovecot.conf`], {
    stdio: 'ignore',
    cwd: '/',
  });
  await until('Dovecot to answer', () => {
    if (dovecot.exitCode !== null) throw new Error(`Dovecot ended, see ${folder}/dovecot.log`);
    return answers(ports.imap);
  });
  let serial = 0;
  const inboxOf = (user: string, box: string): string =>
    `${folder}/mail/${keyOf(user)}${box === '' ? '' : `/.${box}`}`;
  return {
    ports,
    authorities: `${folder}/ca`,
    async addUser(user, password) {
      const home = inboxOf(user, '');
      const secret = Buffer.from(password).toString('base64');
      const name = loginKeyOf(user);
      const line = `${name}:{PLAIN.b64}${secret}\n`;
      const others = (await readFile(users, 'utf8'))
        .split('\n')
        .filter((one) => !one.startsWith(`${name}:`));
      await writeFile(
        users,
        others
          .filter((one) => one !== '')
          .map((one) => `${one}\n`)
          .join('') + line,
      );
      await makeMaildir(home);
    },
    async put(user, messages, box = '') {
      const inbox = inboxOf(user, box);
      await makeMaildir(inbox);
      for (const message of messages) {
        serial += 1;
        const name = `${1_700_000_000 + serial}.M${serial}.remote`;
        const file = `${inbox}/tmp/${name}`;
        await writeFile(file, message);
        await chown(file, NOBODY, NOBODY);
        await rename(file, `${inbox}/new/${name}`);
      }
    },
    async count(user) {
      const parts = ['new', 'cur'].map((part) =>
        readdir(`${inboxOf(user, '')}/${part}`).catch(() => []),
      );
      return (await Promise.all(parts)).flat().length;
    },
    log: () => readFile(`${folder}/dovecot.log`, 'utf8'),
    async stop() {
      if (dovecot.exitCode === null && dovecot.signalCode === null) {
        const gone = once(dovecot, 'exit');
        dovecot.kill('SIGTERM');
        await gone;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Users are known by a digest of their names, so that any character can be in one (Dovecot's variables, `%{sha1:user}`). */
function configuration(
  folder: string,
  ports: RemoteMailboxes['ports'],
  mechanisms: string,
): string {
  const names = Object.keys(CERTIFICATES).map(
    (name) =>
      `local_name ${name} {\n  ssl_cert = <${folder}/certs/${name}.crt\n  ssl_key = <${folder}/certs/${name}.key\n}`,
  );
  return `base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${folder}/dovecot.log
protocols = imap pop3
ssl = yes
ssl_cert = <${folder}/certs/self.fetch.test.crt
ssl_key = <${folder}/certs/self.fetch.test.key
${names.join('\n')}
disable_plaintext_auth = no
auth_mechanisms = ${mechanisms}
auth_username_chars =
auth_username_format = %u
auth_failure_delay = 0
mail_location = maildir:${folder}/mail/%{sha1:user}
mail_max_userip_connections = 100
first_valid_uid = 1
first_valid_gid = 1
default_login_user = dovenull
default_internal_user = dovecot
passdb {
  driver = passwd-file
  args = username_format=%{sha1:user} ${folder}/users
}
userdb {
  driver = static
  args = uid=${NOBODY} gid=${NOBODY} home=${folder}/mail/%{sha1:user} allow_all_users=yes
}
service imap-login {
  inet_listener imap {
    address = 127.0.0.1
    port = ${ports.imap}
  }
  inet_listener imaps {
    address = 127.0.0.1
    port = ${ports.imaps}
    ssl = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    address = 127.0.0.1
    port = ${ports.pop3}
  }
  inet_listener pop3s {
    address = 127.0.0.1
    port = ${ports.pop3s}
    ssl = yes
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`;
}

/** Dovecot escapes a name before it puts it into what it looks up (auth-request-var-expand.c). */
function loginKeyOf(user: string): string {
  return keyOf(user.replace(/["'\\]/g, '\\$&'));
}

function keyOf(user: string): string {
  return createHash('sha1').update(user).digest('hex');
}

async function writeCertificates(folder: string, authorities: string): Promise<void> {
  const issuer = makeAuthority('Authority of the provider');
  await writeFile(`${authorities}/authority.crt`, issuer.cert);
  execFileSync('/usr/bin/openssl', ['rehash', authorities]);
  for (const [name, options] of Object.entries(CERTIFICATES)) {
    const own = name.startsWith('self');
    const pair = makeCertificate(own ? options : { ...options, issuer });
    await writeFile(`${folder}/${name}.crt`, pair.cert);
    await writeFile(`${folder}/${name}.key`, pair.key, { mode: 0o600 });
  }
}

async function makeMaildir(folder: string): Promise<void> {
  for (const name of [folder, `${folder}/new`, `${folder}/cur`, `${folder}/tmp`]) {
    await mkdir(name, { recursive: true });
    await chown(name, NOBODY, NOBODY);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
