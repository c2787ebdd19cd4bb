/**
 * Program: what root does with an installed console at the command line, as `mailserver-console`.
 * Exit codes of `status` are those that monitoring expects: 0 fine, 1 something to look at, 2 mail is not flowing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CONTROL_SOCKET } from '../console/control.js';
import type { PluginHealth } from '../contract.js';
import { createI18n } from '../i18n.js';
import { PACKAGE_ROOT } from '../package-root.js';
import { addressOf, renderAnnouncement } from './announce.js';
import { DEFAULT_LISTEN, LaunchError } from './arguments.js';
import { askConsole } from './ask-console.js';
import { takeFirstLogin } from './first-login.js';
import { placesBelow, SETTINGS_FILE } from './places.js';
import { readSettings } from './settings-file.js';
import { waitForConsole } from './systemd.js';
import { CONSOLE_UNIT } from './units.js';

const USAGE = `mailserver-console first-login                       address, user and password, told once after the installation
mailserver-console status                            is mail flowing? exit code 0, 1 (look at it) or 2
mailserver-console new-password LOGIN                a new password for an account of the console
mailserver-console backup make|restore FILE          all settings with their passwords, under a passphrase
mailserver-console database export|import FILE       moves the database; the console must be stopped`;

const STATUS_CODES: Readonly<Record<string, number>> = {
  ok: 0,
  degraded: 1,
  failing: 2,
};
const NOT_RUNNING = 2;
const WRONG_USE = 64;

const places = placesBelow(null);
const control = join(places.consoleState, CONTROL_SOCKET);

async function firstLogin(): Promise<number> {
  const settings = await readSettings(SETTINGS_FILE);
  const listen = settings['MAILSERVER_LISTEN'] ?? DEFAULT_LISTEN;
  // As sd_booted(3) does it.
  if (existsSync('/run/systemd/system')) await waitForConsole(listen);
  const login = await takeFirstLogin(places.consoleState);
  const trusted = settings['MAILSERVER_TRUSTED_USER_HEADER'];
  const unknown = trusted
    ? 'People are signed in by the reverse proxy.'
    : 'The first password was told already. A new one: mailserver-console new-password LOGIN';
  say(
    renderAnnouncement({
      headline: 'The mailserver console runs, now and after every start of this machine.',
      address: addressOf(listen),
      login,
      notes: [
        ...(login ? [] : [unknown]),
        `Its log: journalctl -u ${CONSOLE_UNIT}. Its settings: ${SETTINGS_FILE}`,
      ],
    }),
  );
  return 0;
}

async function status(): Promise<number> {
  try {
    const { status, problems } = (await askConsole(control, 'GET', '/health')) as PluginHealth;
    const i18n = createI18n(join(PACKAGE_ROOT, 'locales'), {
      product: 'Mailserver',
      onProblem: () => undefined,
    });
    const t = i18n.translator('en');
    const lines = problems.map(({ key, values }) => t(key, values));
    say([`Mailserver: ${status}`, ...lines, ''].join('\n'));
    return STATUS_CODES[status] ?? NOT_RUNNING;
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    say(`Mailserver: ${error.message}\n`);
    return NOT_RUNNING;
  }
}

async function newPassword(login: string): Promise<number> {
  const made = (await askConsole(control, 'POST', '/new-password', login)) as {
    readonly password: string | null;
  };
  if (made.password === null)
    throw new LaunchError(`no account "${login}" with a password of its own`);
  say(`User      ${login}\nPassword  ${made.password}\n`);
  return 0;
}

/** Another program of ours, at this terminal. */
function runProgram(path: string, args: readonly string[], env: NodeJS.ProcessEnv): number {
  const program = join(PACKAGE_ROOT, 'dist/lib', path);
  const { status } = spawnSync(process.execPath, [program, ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return status ?? 1;
}

async function run([command, ...args]: readonly string[]): Promise<number> {
  const [first] = args;
  if (command === undefined || command === 'help' || command === '--help') {
    say(`${USAGE}\n`);
    return command === undefined ? WRONG_USE : 0;
  }
  if (process.getuid?.() !== 0) throw new LaunchError('only root may do that');
  switch (command) {
    case 'first-login':
      return firstLogin();
    case 'status':
      return status();
    case 'new-password':
      if (first === undefined) break;
      return newPassword(first.trim().toLowerCase());
    case 'backup':
      return runProgram('privileged/backup/cli.js', args, {});
    case 'database':
      return runProgram('console/database-cli.js', args, {
        MAILSERVER_STATE: places.consoleState,
        ...(await readSettings(SETTINGS_FILE)),
      });
  }
  throw new LaunchError(`this is what there is:\n${USAGE}`);
}

/** What the console says is shown to root: nothing of it may steer the terminal. */
function say(text: string): void {
  process.stdout.write(text.replace(/[^\P{Cc}\n]/gu, '?'));
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof LaunchError)) throw error;
  process.stderr.write(`mailserver: ${error.message}\n`);
  process.exitCode = 1;
}
