/** How the console and the helper's listener are started where no systemd does it. */
import { CLEAN_ENVIRONMENT } from '../privileged/native.js';
import { CONSOLE_NODE_OPTIONS } from './console-memory.js';
import { CONSOLE_USER, FETCH_USER, HELPER_GROUP, type Places } from './places.js';
import type { Settings } from './settings-file.js';
import type { Installation } from './installation.js';
import type { ProgramStart } from './supervised-process.js';

/** Settings of the console that a person gives in the environment of `npm start`. */
const PASSED_ON = [
  'DATABASE_URL',
  'MAILSERVER_BRAND',
  'MAILSERVER_FIRST_ADMIN',
  'MAILSERVER_TRUSTED_USER_HEADER',
  'TZ',
] as const;

/** Both end when the process that looks after them is killed. */
const SETPRIV = '/usr/bin/setpriv';
const END_WITH_PARENT = ['--pdeathsig', 'TERM'];

export function consoleProgram(
  places: Places,
  installation: Installation,
  settings: Settings,
  log: number,
): ProgramStart {
  const { node, release } = installation;
  return {
    name: 'the console',
    command: SETPRIV,
    args: [
      ...['--reuid', CONSOLE_USER, '--regid', HELPER_GROUP, '--clear-groups'],
      ...['--no-new-privs', '--bounding-set', '-all', '--inh-caps', '-all'],
      ...END_WITH_PARENT,
      ...[node, ...CONSOLE_NODE_OPTIONS, `${release}/dist/lib/console/main.js`],
    ],
    env: {
      ...CLEAN_ENVIRONMENT,
      ...settings,
      HOME: places.consoleState,
      NODE_ENV: 'production',
      MAILSERVER_STATE: places.consoleState,
      MAILSERVER_HELPER_SOCKET: places.helperSocket,
      MAILSERVER_CERTIFICATES: places.certificates,
    },
    log,
  };
}

/** The console of a person without root: no helper, and the code where it was built. */
export function unprivilegedConsoleProgram(
  home: string,
  stateFolder: string,
  settings: Settings,
): ProgramStart {
  const program = [process.execPath, ...CONSOLE_NODE_OPTIONS, `${home}dist/lib/console/main.js`];
  return {
    name: 'the console',
    command: SETPRIV,
    args: ['--no-new-privs', ...END_WITH_PARENT, ...program],
    env: {
      ...CLEAN_ENVIRONMENT,
      ...settings,
      HOME: stateFolder,
      NODE_ENV: 'production',
      MAILSERVER_STATE: stateFolder,
    },
    log: 2,
  };
}

/** Root's program: what it does is given by its arguments alone. */
export function helperProgram(
  places: Places,
  installation: Installation,
  log: number,
): ProgramStart {
  const { node, release } = installation;
  return {
    name: 'the helper',
    command: SETPRIV,
    args: [
      ...END_WITH_PARENT,
      ...[node, '--enable-source-maps', `${release}/dist/lib/privileged/listener.js`],
      ...['--socket', places.helperSocket, '--group', HELPER_GROUP],
      ...(places.root === '' ? [] : ['--root', places.root]),
    ],
    env: CLEAN_ENVIRONMENT,
    log,
  };
}

/** Fetches mail from other providers, with as few rights as the console and none of its. */
export function fetcherProgram(
  places: Places,
  installation: Installation,
  log: number,
): ProgramStart {
  const { node, release } = installation;
  return {
    name: 'the fetcher',
    command: SETPRIV,
    args: [
      ...['--reuid', FETCH_USER, '--regid', FETCH_USER, '--clear-groups'],
      ...['--no-new-privs', '--bounding-set', '-all', '--inh-caps', '-all'],
      ...END_WITH_PARENT,
      ...[node, '--enable-source-maps', `${release}/dist/lib/fetcher/main.js`],
      ...(places.root === '' ? [] : ['--root', places.root]),
    ],
    env: { ...CLEAN_ENVIRONMENT, HOME: places.fetchState, NODE_ENV: 'production' },
    log,
  };
}

/** The settings that were given; empty ones count as not given. */
export function consoleSettings(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const given = PASSED_ON.map((name) => [name, environment[name]] as const);
  return Object.fromEntries(
    given.filter((pair): pair is [(typeof PASSED_ON)[number], string] => Boolean(pair[1])),
  );
}
