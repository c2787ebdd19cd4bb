/** The folder of a lab: users, aliases and the few files of /etc that its processes see instead of the machine's. */
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { FETCH_STATE } from '../fetcher/places.js';
import { CONSOLE_USER, FETCH_USER, HELPER_GROUP, type Places } from '../launch/places.js';
import { makeScannerTree } from './scanners.js';

/** The people of a lab, as `[login, full name]`. No machine has all of them by accident. */
export const LAB_USERS = [
  ['alice', 'Alice Anders'],
  ['bob', 'Bob Baker'],
  ['carol', 'Carol Clark'],
  ['dave', 'Dave Dankers'],
  ['erika', 'Erika Müller'],
  ['juergen', 'Jürgen Groß'],
] as const;

/** The first user id of the people of a lab; Debian gives people 1000 to 59999. */
const FIRST_USER_ID = 30_001;

/** Files of a lab that its processes see at the machine's own path, see `namespace.ts`. */
export const OWN_ETC_FILES = ['passwd', 'group', 'hosts', 'resolv.conf', 'nsswitch.conf'] as const;

/** Makes what is missing and keeps what is there. */
export async function makeTree(places: Places): Promise<void> {
  const { root } = places;
  for (const folder of ['etc', 'home', 'run', 'usr', 'var', 'var/lib', 'var/log', 'var/spool']) {
    await mkdir(`${root}/${folder}`, { recursive: true, mode: 0o755 });
  }
  await writeAccounts(places);
  await writeNew(`${root}/etc/hosts`, `127.0.0.1 localhost\n127.0.1.1 ${hostname()}\n`);
  // Nobody answers there, so every question to the DNS fails at once instead of leaving the machine.
  await writeNew(
    `${root}/etc/resolv.conf`,
    'nameserver 127.255.255.254\noptions timeout:1 attempts:1\n',
  );
  await writeNew(
    `${root}/etc/nsswitch.conf`,
    'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n',
  );
  await writeNew(places.aliases, '# See man 5 aliases for format\npostmaster:    root\n');
  await makeFolders(places);
}

async function makeFolders(places: Places): Promise<void> {
  const users = await idsByName(`${places.root}/etc/passwd`);
  const groups = await idsByName(`${places.root}/etc/group`);
  const owned = async (path: string, mode: number, user: string, group: string): Promise<void> => {
    if (!existsSync(path)) await mkdir(path, { recursive: true });
    await chown(path, id(users, user), id(groups, group));
    await chmod(path, mode);
  };
  await owned(places.mailboxes, 0o2775, 'root', 'mail');
  await owned(places.stateDir, 0o700, 'root', 'root');
  await owned(places.consoleState, 0o700, CONSOLE_USER, HELPER_GROUP);
  await owned(places.fetchState, 0o700, FETCH_USER, FETCH_USER);
  await owned(places.certificates, 0o755, 'root', 'root');
  await owned(`${places.root}/run/mailserver`, 0o750, 'root', HELPER_GROUP);
  await owned(places.queueDir, 0o755, 'root', 'root');
  await owned(places.dataDir, 0o755, 'postfix', 'postfix');
  for (const [login] of LAB_USERS) await owned(`${places.root}/home/${login}`, 0o700, login, login);
  await makeScannerTree(places, new Set(users.keys()), owned);
}

/**
 * The accounts of the machine's daemons, of console and fetcher, and the people. A lab that is there keeps its people, and
 * gets the accounts that a newer release needs.
 */
async function writeAccounts({ root }: Places): Promise<void> {
  const fresh = !(existsSync(`${root}/etc/passwd`) && existsSync(`${root}/etc/group`));
  const read = async (name: string): Promise<string[]> =>
    fresh ? (await linesOf(`/etc/${name}`)).filter(isDaemon) : linesOf(`${root}/etc/${name}`);
  const accounts: Accounts = { passwd: await read('passwd'), group: await read('group') };
  addDaemon(accounts, CONSOLE_USER, HELPER_GROUP, `/var/lib/${CONSOLE_USER}`);
  addDaemon(accounts, FETCH_USER, FETCH_USER, FETCH_STATE);
  // The scanner reads what amavis has taken apart.
  if (fresh) addMember(accounts, 'amavis', 'clamav');
  for (const [index, [login, fullName]] of fresh ? LAB_USERS.entries() : []) {
    const uid = FIRST_USER_ID + index;
    const home = `${root}/home/${login}`;
    accounts.passwd.push(`${login}:x:${uid}:${uid}:${fullName},,,:${home}:/bin/sh`);
    accounts.group.push(`${login}:x:${uid}:`);
  }
  for (const name of ['passwd', 'group'] as const) {
    await writeFile(`${root}/etc/${name}`, `${accounts[name].join('\n')}\n`, { mode: 0o644 });
  }
}

/** Lines of /etc/passwd and /etc/group. */
interface Accounts {
  readonly passwd: string[];
  readonly group: string[];
}

/** An account of a program and its group, where they are missing. */
function addDaemon({ passwd, group }: Accounts, user: string, primary: string, home: string): void {
  const has = (lines: readonly string[], name: string): boolean =>
    lines.some((line) => line.startsWith(`${name}:`));
  const free = freeSystemId([...passwd, ...group]);
  if (!has(group, primary)) group.push(`${primary}:x:${free}:`);
  if (has(passwd, user)) return;
  const gid = Number(group.find((line) => line.startsWith(`${primary}:`))?.split(':')[2]);
  passwd.push(`${user}:x:${free}:${gid}::${home}:/usr/sbin/nologin`);
}

/** Puts an account that is there into a group that is there. */
function addMember({ passwd, group }: Accounts, name: string, member: string): void {
  const index = group.findIndex((line) => line.startsWith(`${name}:`));
  const line = group[index];
  if (line === undefined || !passwd.some((one) => one.startsWith(`${member}:`))) return;
  const members = (line.split(':')[3] ?? '').split(',').filter((one) => one !== '');
  if (members.includes(member)) return;
  group[index] = `${line.split(':').slice(0, 3).join(':')}:${[...members, member].join(',')}`;
}

/** Debian keeps 0 to 999 for the system, and `nobody`. */
function isDaemon(line: string): boolean {
  const id = Number(line.split(':')[2]);
  return id < 1000 || id === 65_534;
}

function freeSystemId(lines: readonly string[]): number {
  const taken = new Set(lines.map((line) => Number(line.split(':')[2])));
  let candidate = 999;
  while (taken.has(candidate)) candidate -= 1;
  return candidate;
}

async function idsByName(file: string): Promise<Map<string, number>> {
  const fields = (await linesOf(file)).map((line) => line.split(':'));
  return new Map(fields.map(([name, , number]) => [name ?? '', Number(number)]));
}

function id(ids: Map<string, number>, name: string): number {
  const found = ids.get(name);
  if (found === undefined) throw new Error(`the lab has no account "${name}"`);
  return found;
}

async function linesOf(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
}

async function writeNew(file: string, content: string): Promise<void> {
  if (!existsSync(file)) await writeFile(file, content, { mode: 0o644 });
}
