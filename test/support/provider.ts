/**
 * A mail provider of our own, for tests of sending: a second Postfix with Dovecot's login, in the network of a private
 * root. Every entry of `LINES` is a server with a name, an address and a temper of its own; all deliver into one Maildir.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { CLEAN_ENVIRONMENT, runNative } from '../../lib/privileged/native.js';
import type { Zone } from './dns-server.js';
import type { PostfixRoot } from './postfix-root.js';
import { makeAuthority, makeCertificate, type CertificateOptions } from './certificate.js';

export const LOGIN = { username: 'me', password: 'p: #|+"\\ä $x' } as const;
/** Mail to anybody here arrives. */
export const REACHED_DOMAIN = 'outside.example';

const DNS_SERVER = fileURLToPath(new URL('./dns-server.js', import.meta.url));
const NOBODY = 65_534;

/** Hosts that the good certificate is for. */
const GOOD_HOSTS = ['good', 'mx', 'slow', 'plain', 'login', 'cram', 'sender', 'later', 'away'];

/** What a server may show. `expired` has run out, `wrong` is for another name, nobody vouches for `self`. */
const CERTIFICATES = {
  good: { names: GOOD_HOSTS.map((host) => `${host}.provider.test`) },
  expired: { names: ['expired.provider.test'], days: -1 },
  wrong: { names: ['elsewhere.test'] },
  self: { names: ['self.provider.test'] },
} satisfies Record<string, Omit<CertificateOptions, 'issuer'>>;
export type CertificateName = keyof typeof CERTIFICATES;

/** A listener's `-o` options; `certificate` names what it shows, none means no TLS. */
export interface ProviderLine {
  readonly address: string;
  readonly port: number;
  readonly certificate?: CertificateName;
  readonly wrapped?: boolean;
  readonly options?: Readonly<Record<string, string>>;
}

export interface Provider {
  /** Bodies of all mail that arrived so far. */
  arrived(): Promise<readonly string[]>;
  /** File of the authority that signed the good certificates. */
  readonly authority: string;
  log(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts it among the root's processes. `zone` is all that the name server there knows. */
export async function startProvider(
  root: PostfixRoot,
  lines: readonly ProviderLine[],
  zone: Zone,
): Promise<Provider> {
  const folder = `${root.places.root}/provider`;
  for (const name of ['etc', 'spool', 'lib', 'log', 'run', 'state', 'certificates', 'mail']) {
    await mkdir(`${folder}/${name}`, { recursive: true });
  }
  await chown(`${folder}/mail`, NOBODY, NOBODY);
  await chown(`${folder}/lib`, await idOf('postfix'), 0);
  await writeCertificates(`${folder}/certificates`);
  await writeFile(
    `${root.places.root}/etc/resolv.conf`,
    'nameserver 127.0.0.1\noptions timeout:1\n',
  );
  await writePostfix(folder, lines);
  await writeDovecot(folder);
  const dns = await startDns(root, zone);
  await must(root, '/usr/sbin/postfix', ['-c', `${folder}/etc`, 'start']);
  await must(root, '/usr/sbin/dovecot', ['-c', `${folder}/etc/dovecot.conf`]);
  return {
    authority: `${folder}/certificates/authority.crt`,
    arrived: () => readMail(`${folder}/mail`),
    log: () => readFile(`${folder}/log/mail.log`, 'utf8'),
    stop: async () => {
      await root.run('/usr/sbin/dovecot', ['-c', `${folder}/etc/dovecot.conf`, 'stop']);
      await root.run('/usr/sbin/postfix', ['-c', `${folder}/etc`, 'stop']);
      dns.kill();
    },
  };
}

async function writeCertificates(folder: string): Promise<void> {
  const issuer = makeAuthority('Authority of the provider');
  await writeFile(`${folder}/authority.crt`, issuer.cert);
  for (const [name, options] of Object.entries(CERTIFICATES)) {
    const pair = makeCertificate(name === 'self' ? options : { ...options, issuer });
    await writeFile(`${folder}/${name}.crt`, pair.cert);
    await writeFile(`${folder}/${name}.key`, pair.key, { mode: 0o600 });
  }
}

async function startDns(root: PostfixRoot, zone: Zone): Promise<ChildProcess> {
  const [program = '', ...enter] = root.enter;
  const args = [...enter, process.execPath, DNS_SERVER, '127.0.0.1', JSON.stringify(zone)];
  const server = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: CLEAN_ENVIRONMENT,
  });
  await once(server.stdout, 'data');
  return server;
}

async function writePostfix(folder: string, lines: readonly ProviderLine[]): Promise<void> {
  for (const name of ['dynamicmaps.cf', 'dynamicmaps.cf.d', 'postfix-files', 'postfix-files.d']) {
    await runNative('/usr/bin/cp', ['-rL', `/etc/postfix/${name}`, `${folder}/etc/`]);
  }
  const parameters = {
    compatibility_level: '3.6',
    queue_directory: `${folder}/spool`,
    data_directory: `${folder}/lib`,
    config_directory: `${folder}/etc`,
    command_directory: '/usr/sbin',
    daemon_directory: '/usr/lib/postfix/sbin',
    maillog_file: `${folder}/log/mail.log`,
    maillog_file_prefixes: `/var, ${folder}`,
    multi_instance_name: 'postfix-provider',
    syslog_name: 'provider',
    myhostname: 'mx.provider.test',
    mydestination: '',
    inet_interfaces: 'all',
    alias_maps: '',
    virtual_mailbox_domains: REACHED_DOMAIN,
    virtual_mailbox_maps: 'static:all/',
    virtual_mailbox_base: `${folder}/mail`,
    virtual_uid_maps: `static:${NOBODY}`,
    virtual_gid_maps: `static:${NOBODY}`,
    smtpd_relay_restrictions: 'permit_sasl_authenticated, reject',
    smtpd_sasl_type: 'dovecot',
    smtpd_sasl_path: 'private/auth',
    smtpd_peername_lookup: 'no',
    smtpd_tls_loglevel: '1',
  };
  const text = Object.entries(parameters).map(([name, value]) => `${name} = ${value}\n`);
  await writeFile(`${folder}/etc/main.cf`, text.join(''));
  const debian = await readFile('/usr/share/postfix/master.cf.dist', 'utf8');
  const inner = debian
    .replace(/^(\S+\s+unix(?:-dgram)?\s+\S+\s+\S+\s+)\S(\s)/gm, '$1n$2')
    .replace(/^smtp\s+inet.*$/m, '');
  await writeFile(
    `${folder}/etc/master.cf`,
    inner + lines.map((one) => serviceOf(folder, one)).join(''),
  );
  const then = Date.now() / 1000 - 10;
  await utimes(`${folder}/etc/main.cf`, then, then);
}

function serviceOf(folder: string, line: ProviderLine): string {
  const { address, port, certificate, wrapped, options = {} } = line;
  const tls: Record<string, string> = certificate
    ? {
        smtpd_tls_cert_file: `${folder}/certificates/${certificate}.crt`,
        smtpd_tls_key_file: `${folder}/certificates/${certificate}.key`,
        smtpd_tls_security_level: 'may',
        ...(wrapped ? { smtpd_tls_wrappermode: 'yes' } : {}),
      }
    : {};
  const all = Object.entries({ ...tls, ...options }).map(
    ([name, value]) => `  -o { ${name} = ${value} }\n`,
  );
  return `${address}:${port} inet n - n - - smtpd\n${all.join('')}`;
}

/** Base64, since any character may be in a password and `:` divides the fields (passwd-file of Dovecot). */
async function writeDovecot(folder: string): Promise<void> {
  const password = Buffer.from(LOGIN.password).toString('base64');
  await writeFile(`${folder}/etc/users`, `${LOGIN.username}:{PLAIN.b64}${password}\n`);
  await chmod(`${folder}/etc/users`, 0o644);
  await writeFile(
    `${folder}/etc/dovecot.conf`,
    `base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${folder}/log/dovecot.log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5
auth_failure_delay = 0
default_login_user = dovenull
default_internal_user = dovecot
passdb {
  driver = passwd-file
  args = ${folder}/etc/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}
service auth {
  unix_listener ${folder}/spool/private/auth {
    mode = 0666
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`,
  );
}

async function readMail(folder: string): Promise<readonly string[]> {
  const names = await readdir(`${folder}/all/new`).catch(() => []);
  return Promise.all(names.map((name) => readFile(`${folder}/all/new/${name}`, 'utf8')));
}

async function must(root: PostfixRoot, program: string, args: readonly string[]): Promise<void> {
  const answer = await root.run(program, args);
  if (answer.code !== 0) throw new Error(`${program}: ${answer.stdout}${answer.stderr}`);
}

async function idOf(login: string): Promise<number> {
  const passwd = await readFile('/etc/passwd', 'utf8');
  return Number(new RegExp(`^${login}:[^:]*:(\\d+):`, 'm').exec(passwd)?.[1]);
}
