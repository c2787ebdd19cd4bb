/** A lab's own Postfix: configured as Debian does it, with what a private instance on loopback needs. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { CLEAN_ENVIRONMENT } from '../privileged/native.js';
import { type Places } from '../launch/places.js';
import { findFreePort, isFree } from '../free-port.js';

const run = promisify(execFile);

/** What Postfix needs beside main.cf and master.cf; later versions have fewer of them. */
const COMPANIONS = [
  'dynamicmaps.cf',
  'dynamicmaps.cf.d',
  'main.cf.proto',
  'makedefs.out',
  'master.cf.proto',
  'post-install',
  'postfix-files',
  'postfix-files.d',
  'postfix-script',
];

/**
 * Postfix waits until a fresh main.cf is older than its own clock allows, two seconds a program. The file is
 * complete when we date it back, so nothing is lost.
 */
const BACK_DATE_SECONDS = 10;

/** Makes the configuration where there is none, keeps the one that is there, and returns the SMTP port. */
export async function configurePostfix(places: Places): Promise<number> {
  const { configDir: config } = places;
  if (!existsSync(`${config}/main.cf`)) await writeConfiguration(places);
  await buildAliases(places);
  const port = await keepOrMovePort(`${config}/master.cf`);
  await backDate(`${config}/main.cf`);
  return port;
}

async function writeConfiguration(places: Places): Promise<void> {
  const { configDir } = places;
  for (const name of COMPANIONS.filter((name) => existsSync(`/etc/postfix/${name}`))) {
    await cp(`/etc/postfix/${name}`, `${configDir}/${name}`, {
      recursive: true,
      dereference: true,
    });
  }
  await writeFile(`${configDir}/master.cf`, await masterCf(await findFreePort()));
  await writeFile(`${configDir}/main.cf`, await mainCf(places));
}

/** Debian's main.cf, as its package fills it in, and below it what is a lab's own. */
async function mainCf(places: Places): Promise<string> {
  const debian = debianSettings(places);
  const own = privateSettings(places);
  const set = new Set([...Object.keys(debian), ...Object.keys(own)]);
  const template = (await readFile('/usr/share/postfix/main.cf.debian', 'utf8'))
    .split('\n')
    .filter((line) => !set.has(line.split('=')[0]?.trim() ?? ''))
    .join('\n')
    .trimEnd();
  return [
    template,
    ...linesFor(debian),
    '',
    '# A private instance that reaches, and is reached by, nothing but loopback.',
    ...linesFor(own),
    '',
  ].join('\n');
}

function linesFor(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).map(([name, value]) => `${name} = ${value}`.trimEnd());
}

/** What Debian's package sets when it is installed for an internet site. */
function debianSettings(places: Places): Record<string, string> {
  const name = hostname();
  return {
    smtpd_relay_restrictions:
      'permit_mynetworks permit_sasl_authenticated defer_unauth_destination',
    myhostname: name,
    alias_maps: `lmdb:${places.aliases}`,
    alias_database: `lmdb:${places.aliases}`,
    mydestination: `$myhostname, ${name}, localhost.localdomain, localhost`,
    relayhost: '',
    mynetworks: '127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128',
    mailbox_size_limit: '0',
    recipient_delimiter: '+',
  };
}

/** Paths below the root, and no way out: a connection from 127.0.0.1 to another machine is refused by the kernel. */
function privateSettings(places: Places): Record<string, string> {
  return {
    queue_directory: places.queueDir,
    data_directory: places.dataDir,
    config_directory: places.configDir,
    mail_spool_directory: places.mailboxes,
    maillog_file: places.mailLog,
    maillog_file_prefixes: `/var, /dev/stdout, ${places.root}/var`,
    multi_instance_name: 'postfix-lab',
    syslog_name: 'postfix',
    default_database_type: 'lmdb',
    inet_interfaces: 'loopback-only',
    inet_protocols: 'ipv4',
    smtp_bind_address: '127.0.0.1',
    lmtp_bind_address: '127.0.0.1',
  };
}

/** Debian's master.cf with its own port and without chroot. */
async function masterCf(port: number): Promise<string> {
  const debian = await readFile('/usr/share/postfix/master.cf.dist', 'utf8');
  return debian
    .replace(
      /^(\S+\s+(?:inet|unix|unix-dgram|fifo|pass)\s+\S+\s+\S+\s+)\S(\s)/gm,
      (_line, before: string, after: string) => `${before}n${after}`,
    )
    .replace(/^smtp(\s+inet)/m, `127.0.0.1:${port}$1`);
}

const SMTP_LINE = /^127\.0\.0\.1:(\d+)(\s+inet\s.*\ssmtpd)$/m;

/** A lab that was stopped finds its port taken now and then: it moves, and keeps everything else. */
async function keepOrMovePort(master: string): Promise<number> {
  const text = await readFile(master, 'utf8');
  const port = Number(SMTP_LINE.exec(text)?.[1]);
  if (!port) throw new Error(`${master} has no line for SMTP on 127.0.0.1`);
  if (await isFree(port)) return port;
  const other = await findFreePort();
  await writeFile(master, text.replace(SMTP_LINE, `127.0.0.1:${other}$2`));
  return other;
}

async function buildAliases(places: Places): Promise<void> {
  await run('/usr/sbin/postalias', ['-c', places.configDir, `lmdb:${places.aliases}`], {
    env: CLEAN_ENVIRONMENT,
  });
}

async function backDate(file: string): Promise<void> {
  const then = Date.now() / 1000 - BACK_DATE_SECONDS;
  if ((await stat(file)).mtimeMs / 1000 > then) await utimes(file, then, then);
}
