/** Puts one of the mail servers of `test/takeover/corpus` into a private root, as if it had been set up there. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Places } from '../../lib/launch/places.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';

const CORPUS = join(PACKAGE_ROOT, 'test/takeover/corpus');

export const CORPUS_NAMES: readonly string[] = readdirSync(CORPUS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** Every file of the configuration with its bytes. */
export type Snapshot = ReadonlyMap<string, string>;

/** Everything of the case before is gone afterwards. */
export function installCase(name: string, places: Places): void {
  const { configDir, root } = places;
  clear(places);
  const files = readdirSync(join(CORPUS, name));
  const here = (text: string): string =>
    text.replace(/(?<=^|[\s:=,{(])\/(etc\/(?:postfix|aliases|mailname))/g, `${root}/$1`);
  for (const file of files.filter((one) => one !== 'tables')) {
    const text = here(readFileSync(join(CORPUS, name, file), 'utf8'));
    if (file === 'aliases' || file === 'mailname') writeFileSync(`${root}/etc/${file}`, text);
    else
      writeFileSync(`${configDir}/${file}`, file === 'main.cf' ? privateMain(text, places) : text);
  }
  if (!files.includes('master.cf')) writeFileSync(`${configDir}/master.cf`, debianMaster());
  if (!files.includes('mailname')) writeFileSync(`${root}/etc/mailname`, 'box.example\n');
  backdate(`${configDir}/main.cf`);
  const tables = files.includes('tables') ? readFileSync(join(CORPUS, name, 'tables'), 'utf8') : '';
  for (const line of here(tables)
    .split('\n')
    .filter((one) => one !== '')) {
    const [kind, table = ''] = line.split(' ');
    const tool = kind === 'alias' ? '/usr/sbin/postalias' : '/usr/sbin/postmap';
    execFileSync(tool, ['-c', configDir, table], { stdio: 'ignore' });
  }
}

/** What Debian's packages bring stays; everything of the case before goes. */
function clear({ configDir, root, stateDir }: Places): void {
  const kept =
    /^(?:dynamicmaps\.cf|main\.cf\.proto|master\.cf\.proto|makedefs\.out|post-install|postfix-files|postfix-script|sasl)/;
  for (const name of readdirSync(configDir).filter((one) => !kept.test(one))) {
    rmSync(join(configDir, name), { recursive: true });
  }
  rmSync(stateDir, { recursive: true, force: true });
  for (const name of ['aliases.db', 'aliases.lmdb']) rmSync(`${root}/etc/${name}`, { force: true });
  writeFileSync(`${root}/etc/aliases`, 'postmaster: root\n');
}

/** First of all the lines a private instance needs; what the case says itself comes after. */
function privateMain(text: string, places: Places): string {
  const { root, configDir, queueDir, dataDir, mailLog, mailboxes } = places;
  const own: Readonly<Record<string, string>> = {
    queue_directory: queueDir,
    data_directory: dataDir,
    config_directory: configDir,
    mail_spool_directory: mailboxes,
    maillog_file: mailLog,
    maillog_file_prefixes: `/var, /dev/stdout, ${root}/var`,
    multi_instance_name: 'postfix-lab',
    syslog_name: 'postfix',
  };
  const lines = Object.entries(own).map(([name, value]) => `${name} = ${value}`);
  return `${lines.join('\n')}\n${text}`;
}

function debianMaster(): string {
  return readFileSync('/usr/share/postfix/master.cf.dist', 'utf8').replace(
    /^(\S+\s+(?:inet|unix|unix-dgram|fifo|pass)\s+\S+\s+\S+\s+)\S(\s)/gm,
    (_line, before: string, after: string) => `${before}n${after}`,
  );
}

/** Postfix waits two seconds on a main.cf that is younger. */
function backdate(file: string): void {
  const then = Date.now() / 1000 - 60;
  utimesSync(file, then, then);
}

export function snapshot({ configDir, root }: Places): Snapshot {
  const files = readdirSync(configDir, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => join(configDir, name));
  const all = [...files, `${root}/etc/aliases`].filter((file) => existsSync(file));
  return new Map(all.map((file) => [file, readFileSync(file, 'latin1')]));
}
