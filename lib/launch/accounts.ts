/** The accounts of console and fetcher, and the groups that may speak to helper and console, made where they are missing. */
import { chmod, chown, mkdir } from 'node:fs/promises';
import { runNative } from '../privileged/native.js';
import { LaunchError } from './arguments.js';
import { CONSOLE_USER, FETCH_USER, HELPER_GROUP, PROXY_GROUP, type Places } from './places.js';

interface ServiceAccount {
  readonly login: string;
  readonly group: string;
  readonly comment: string;
  /** Its folder, which nobody else can enter. */
  readonly home: string;
}

/** Every group that is needed, those of the accounts included. */
const GROUPS = [HELPER_GROUP, PROXY_GROUP, FETCH_USER];

function accountsOf({ consoleState, fetchState }: Places): readonly ServiceAccount[] {
  return [
    {
      login: CONSOLE_USER,
      group: HELPER_GROUP,
      comment: 'Mailserver console',
      home: consoleState,
    },
    {
      login: FETCH_USER,
      group: FETCH_USER,
      comment: 'Mail from other providers',
      home: fetchState,
    },
  ];
}

/** Needs root. Also makes the state folders, which belong to them alone. */
export async function makeAccounts(places: Places): Promise<void> {
  for (const group of GROUPS) {
    if ((await lookUp('group', group)) !== null) continue;
    await runOrThrow('/usr/sbin/groupadd', ['--system', group]);
  }
  await ownFolder(places.stateDir, 0, 0);
  for (const account of accountsOf(places)) await makeAccount(account);
}

/** The same accounts as systemd-sysusers makes them (sysusers.d(5)). */
export function renderSysusers(places: Places): string {
  const accounts = accountsOf(places).map(
    ({ login, group, comment, home }) =>
      `u ${login} -:${group} "${comment}" ${home} /usr/sbin/nologin`,
  );
  return [...GROUPS.map((group) => `g ${group} -`), ...accounts, ''].join('\n');
}

/** An account nobody can sign in to, and the folder that is its alone. */
async function makeAccount({ login, group, comment, home }: ServiceAccount): Promise<void> {
  if ((await lookUp('passwd', login)) === null) {
    await runOrThrow('/usr/sbin/useradd', [
      ...['--system', '--gid', group, '--no-create-home'],
      ...['--home-dir', home, '--shell', '/usr/sbin/nologin'],
      ...['--comment', comment, login],
    ]);
  }
  const user = await lookUp('passwd', login);
  const uid = Number(user?.[2]);
  const gid = Number(user?.[3]);
  if (!(uid > 0) || !(gid > 0)) {
    throw new LaunchError(`the account ${login} must be neither root nor in root's group`);
  }
  await ownFolder(home, uid, gid);
}

async function ownFolder(folder: string, uid: number, gid: number): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chown(folder, uid, gid);
  await chmod(folder, 0o700);
}

/** The fields of an account or group; null when there is none. */
async function lookUp(database: 'passwd' | 'group', name: string): Promise<string[] | null> {
  const { code, stdout } = await runNative('/usr/bin/getent', [database, name]);
  return code === 0 ? stdout.trim().split(':') : null;
}

async function runOrThrow(program: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await runNative(program, args);
  if (code !== 0) throw new LaunchError(`${program} failed: ${stderr.trim()}`);
}
