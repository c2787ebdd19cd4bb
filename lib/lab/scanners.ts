/**
 * What the scanners of a private root need to run: folders, and the configuration that Debian's packages bring on a machine,
 * with every path below the root. The settings of the pages come on top of it.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import type { Places } from '../launch/places.js';
import { AMAVIS_FOLDER, AMAVIS_HOME, QUARANTINE_FOLDER } from '../security/places.js';

/** Makes a folder with its owner and mode. */
type Own = (path: string, mode: number, user: string, group: string) => Promise<void>;

/**
 * The only signature of a private root, which has no way to the official ones: the test file of the scanners' makers
 * (EICAR), as `name:type:offset:bytes` in hexadecimal.
 */
const TEST_FILE = 'X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*';
const TEST_SIGNATURE = `Test.Eicar:0:*:${Buffer.from(TEST_FILE).toString('hex')}\n`;

/** Makes what is missing and keeps what is there. Without a package its part is left out. */
export async function makeScannerTree(
  { root }: Places,
  accounts: ReadonlySet<string>,
  own: Own,
): Promise<void> {
  const write = async (path: string, content: string): Promise<void> => {
    if (!existsSync(path)) await writeFile(path, content, { mode: 0o644 });
  };
  if (accounts.has('amavis')) {
    await mkdir(`${root}${AMAVIS_FOLDER}`, { recursive: true });
    for (const folder of [
      AMAVIS_HOME,
      `${AMAVIS_HOME}/tmp`,
      `${AMAVIS_HOME}/var`,
      QUARANTINE_FOLDER,
    ])
      await own(`${root}${folder}`, 0o750, 'amavis', 'amavis');
    await write(`${root}/var/log/amavis.log`, '');
    await own(`${root}/var/log/amavis.log`, 0o640, 'amavis', 'adm');
    await write(`${root}/etc/amavis/amavisd.conf`, amavisConfiguration(root));
    await linkSpamAssassin(`${root}/etc/spamassassin`);
  }
  if (accounts.has('clamav')) {
    for (const folder of ['/run/clamav', '/var/lib/clamav', '/var/log/clamav'])
      await own(`${root}${folder}`, 0o755, 'clamav', 'clamav');
    await mkdir(`${root}/etc/clamav`, { recursive: true });
    await write(`${root}/etc/clamav/clamd.conf`, clamdConfiguration(root));
    await write(`${root}/etc/clamav/freshclam.conf`, freshclamConfiguration(root));
    await write(`${root}/var/lib/clamav/test.ndb`, TEST_SIGNATURE);
  }
}

/** Its plugins are loaded by files that packages bring; what we write comes beside them. */
async function linkSpamAssassin(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const names = await readdir('/etc/spamassassin').catch(() => []);
  for (const name of names.filter((one) => one.endsWith('.pre') || one === '65_debian.cf')) {
    if (!existsSync(`${folder}/${name}`))
      await symlink(`/etc/spamassassin/${name}`, `${folder}/${name}`);
  }
}

/** It ends by including the folder that holds our fragments, whatever there is at the time. */
function amavisConfiguration(root: string): string {
  return `use strict;
$daemon_user = 'amavis';
$daemon_group = 'amavis';
$max_servers = 2;
$MYHOME = '${root}${AMAVIS_HOME}';
$TEMPBASE = '${root}${AMAVIS_HOME}/tmp';
$ENV{TMPDIR} = $TEMPBASE;
$helpers_home = $MYHOME;
$pid_file = '${root}${AMAVIS_HOME}/var/amavisd.pid';
$lock_file = '${root}${AMAVIS_HOME}/var/amavisd.lock';
$enable_db = 0;
$enable_zmq = 0;
$unix_socketname = undef;
$do_syslog = 0;
$LOGFILE = '${root}/var/log/amavis.log';
$myhostname = 'lab.localdomain';
$mydomain = 'localdomain';
$pax = 'pax';
$sa_siteconfigpath = '${root}/etc/spamassassin';
include_optional_config_files(map { m{^(.*)$} } sort glob('${root}${AMAVIS_FOLDER}/[0-9][0-9]-*'));
# Whatever asks the network would wait for an answer that never comes.
$sa_local_tests_only = 1;
1;
`;
}

function clamdConfiguration(root: string): string {
  return `LocalSocket ${root}/run/clamav/clamd.ctl
LocalSocketMode 666
FixStaleSocket true
User clamav
DatabaseDirectory ${root}/var/lib/clamav
LogFile ${root}/var/log/clamav/clamav.log
LogTime true
MaxThreads 4
SelfCheck 3600
`;
}

/** The mirror is nobody: a private root asks no machine for anything. */
function freshclamConfiguration(root: string): string {
  return `DatabaseOwner clamav
DatabaseDirectory ${root}/var/lib/clamav
UpdateLogFile ${root}/var/log/clamav/freshclam.log
NotifyClamd ${root}/etc/clamav/clamd.conf
DatabaseMirror http://127.0.0.1:9
DNSDatabaseInfo no
ConnectTimeout 5
MaxAttempts 1
`;
}
