/** `npm start` as root, for the machine itself: as services where systemd runs, else in the foreground. */
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { replaceFile } from '../privileged/files.js';
import { runNative } from '../privileged/native.js';
import { postfixService } from '../privileged/services/postfix.js';
import { makeAccounts } from './accounts.js';
import { addressOf, renderAnnouncement } from './announce.js';
import { DEFAULT_LISTEN, type LaunchArguments } from './arguments.js';
import { refuseBesidePackage } from './debian-package.js';
import { takeFirstLogin } from './first-login.js';
import { runUntilStopped } from './foreground.js';
import { installBuild, type Installation } from './installation.js';
import {
  CONSOLE_USER,
  HELPER_GROUP,
  PROXY_GROUP,
  SETTINGS_FILE,
  placesBelow,
  type Places,
} from './places.js';
import { consoleProgram, consoleSettings, fetcherProgram, helperProgram } from './programs.js';
import { readSettings, writeSettings, type Settings } from './settings-file.js';
import { startServices, waitForConsole, writeUnits } from './systemd.js';
import { CONSOLE_UNIT, renderUnits } from './units.js';

const COMMAND_FILE = '/usr/local/sbin/mailserver-console';

/** Programs in the foreground complain where we do. */
const STDERR = 2;

/** Resolves with the exit code: at once where systemd took over, else when everything has been stopped. */
export async function runMachine(launch: LaunchArguments, home: string): Promise<number> {
  refuseBesidePackage();
  const places = placesBelow(null);
  await makeAccounts(places);
  const installation = await installBuild(home, places.programs, { durable: true });
  await writeCommand(installation);
  const settingsChanged = await keepSettings(launch);
  const settings = await readSettings(SETTINGS_FILE);
  // As sd_booted(3) does it.
  if (!existsSync('/run/systemd/system')) return runInForeground(places, installation, settings);
  const unitsChanged = await writeUnits(renderUnits(places, installation, SETTINGS_FILE));
  return runAsServices(places, settings, settingsChanged || unitsChanged || installation.isNew);
}

/** What root does with the console afterwards. */
async function writeCommand({ node, current }: Installation): Promise<void> {
  const script = `#!/bin/sh\nexec ${node} ${current}/dist/lib/launch/command.js "$@"\n`;
  await mkdir(dirname(COMMAND_FILE), { recursive: true });
  await replaceFile(COMMAND_FILE, script, { uid: 0, gid: 0, mode: 0o755 });
}

/** What is said on this command line and in this environment, else what was said before, else the default. */
async function keepSettings(launch: LaunchArguments): Promise<boolean> {
  const before = (await readSettings(SETTINGS_FILE))['MAILSERVER_LISTEN'];
  return writeSettings(SETTINGS_FILE, {
    MAILSERVER_LISTEN: launch.listen ?? before ?? DEFAULT_LISTEN,
    ...consoleSettings(process.env),
  });
}

async function runAsServices(
  places: Places,
  settings: Settings,
  restart: boolean,
): Promise<number> {
  const listen = settings['MAILSERVER_LISTEN'] ?? DEFAULT_LISTEN;
  await startServices({ restart });
  await waitForConsole(listen);
  const announcement = renderAnnouncement({
    headline: 'The mailserver console runs, now and after every start of this machine.',
    address: addressOf(listen),
    login: await takeFirstLogin(places.consoleState),
    notes: [`Its log: journalctl -u ${CONSOLE_UNIT}. Its settings: ${SETTINGS_FILE}`],
  });
  process.stdout.write(announcement);
  return 0;
}

async function runInForeground(
  places: Places,
  installation: Installation,
  settings: Settings,
): Promise<number> {
  await makeSocketFolders(places);
  const postfix = postfixService(places);
  const startedPostfix = !(await postfix.running()) && (await postfix.start()).up;
  const programs = [
    helperProgram(places, installation, STDERR),
    consoleProgram(places, installation, settings, STDERR),
    fetcherProgram(places, installation, STDERR),
  ];
  try {
    return await runUntilStopped(programs, async ([, said]) => {
      const announcement = renderAnnouncement({
        headline: 'The mailserver console runs until you stop it (Ctrl-C).',
        address: String(said?.['url']),
        login: await takeFirstLogin(places.consoleState),
        notes: startedPostfix ? ['Postfix did not run: it was started, and ends with this.'] : [],
      });
      process.stdout.write(announcement);
    });
  } finally {
    if (startedPostfix) await postfix.stop();
  }
}

/** Where systemd runs, its tmpfiles.d does this at every boot. */
async function makeSocketFolders({ helperSocket, proxyFolder }: Places): Promise<void> {
  const helperFolder = helperSocket.slice(0, helperSocket.lastIndexOf('/'));
  await mkdir(helperFolder, { recursive: true, mode: 0o750 });
  await chown(helperFolder, 0, await idOf('group', HELPER_GROUP));
  await mkdir(proxyFolder, { recursive: true, mode: 0o750 });
  await chown(proxyFolder, await idOf('passwd', CONSOLE_USER), await idOf('group', PROXY_GROUP));
  await chmod(proxyFolder, 0o2750);
}

/** The number of an account or a group that exists. */
async function idOf(database: 'passwd' | 'group', name: string): Promise<number> {
  const { stdout } = await runNative('/usr/bin/getent', [database, name]);
  return Number(stdout.split(':')[2]);
}
