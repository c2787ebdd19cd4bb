/**
 * `npm start -- --lab DIR`: everything on a private root. This process stays outside of the lab's mount namespace,
 * starts the one that looks after it inside, and cleans up after it; whichever of the two is killed, the other stops all.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { LaunchError, type LaunchArguments } from '../launch/arguments.js';
import { takeFirstLogin, type Login } from '../launch/first-login.js';
import { installBuild } from '../launch/installation.js';
import { CLEAN_ENVIRONMENT } from '../privileged/native.js';
import { placesBelow, type Places } from '../launch/places.js';
import { onStop } from '../launch/stop.js';
import { consoleSettings } from '../launch/programs.js';
import type { InsideOrder, InsideReport } from './inside.js';
import { linkedRelease, provideDatabase } from './kept.js';
import { lockFolder } from './lock.js';
import { configurePostfix } from './postfix.js';
import { findFreePort } from '../free-port.js';
import { endLabProcesses, identifyLab } from './processes.js';
import { makeTree } from './tree.js';

/** Bytes of a path a unix socket may have (unix(7)). */
const SOCKET_PATH_LIMIT = 107;

/** What `lab.json` holds, for root alone. */
export interface LabFacts {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly smtpPort: number;
  readonly configDir: string;
  readonly queueDir: string;
  readonly mailDir: string;
  readonly mailLog: string;
  readonly helperSocket: string;
  /** Folder of the embedded database, or the address of the server. */
  readonly database: string;
  readonly pids: InsideReport['pids'] & { readonly launcher: number };
}

/** Runs a lab until SIGTERM or SIGINT; resolves with the exit code when nothing of it runs any more. */
export async function runLab(
  folder: string,
  { listen }: LaunchArguments,
  home: string,
): Promise<number> {
  const root = await prepareFolder(folder);
  await lockFolder(root);
  const places = placesBelow(root);
  await endLabProcesses(await identifyLab(places));
  await rm(`${root}/lab.json`, { force: true });
  await makeTree(places);
  const smtpPort = await configurePostfix(places);
  const lab = await identifyLab(places);
  const [installation] = await Promise.all([
    installBuild(home, places.programs, { durable: false, fill: linkedRelease }),
    provideDatabase(places, home),
  ]);

  const inside = startInside({ root, listen: await withPort(listen), installation });
  const stop = (): void => void inside.kill('SIGTERM');
  onStop(stop);
  followReports(inside, places, smtpPort);
  const [code] = (await once(inside, 'exit')) as [number | null];
  await rm(`${root}/lab.json`, { force: true });
  await endLabProcesses(lab);
  return code ?? 1;
}

/** A port of its own, so that the console has the same one when it is started again. */
async function withPort(listen: string | null): Promise<string> {
  if (listen === null) return `127.0.0.1:${await findFreePort()}`;
  return listen.endsWith(':0') ? listen.replace(/0$/, String(await findFreePort())) : listen;
}

/** Its real path, so that it stays the same however it was given. */
async function prepareFolder(folder: string): Promise<string> {
  if (process.getuid?.() !== 0) {
    throw new LaunchError('a lab has its own Postfix, which only root can start');
  }
  if (!/^[A-Za-z0-9_./+-]+$/.test(folder)) {
    throw new LaunchError(
      `${folder}: Postfix needs a path of letters, digits and the signs _ . / + -`,
    );
  }
  await mkdir(folder, { recursive: true });
  const root = await realpath(folder);
  const { helperSocket } = placesBelow(root);
  if (Buffer.byteLength(helperSocket) > SOCKET_PATH_LIMIT) {
    throw new LaunchError(
      `${root} is too long: a socket's path has ${SOCKET_PATH_LIMIT} bytes at most, and ${helperSocket} is longer`,
    );
  }
  await refuseForeignFolder(root);
  // Daemons must be able to pass through; what is inside has its own rights.
  await chmod(root, 0o711);
  return root;
}

/** A lab writes etc/passwd and more into its folder: never into somebody's files. */
async function refuseForeignFolder(root: string): Promise<void> {
  const marker = '.mailserver-lab';
  const names = await readdir(root);
  if (root === '/' || (names.length > 0 && !names.includes(marker))) {
    throw new LaunchError(`${root} holds something else: a lab needs a folder of its own`);
  }
  await writeFile(`${root}/${marker}`, 'The folder of a lab, made by npm start -- --lab\n');
}

/** Not in the terminal's process group: Ctrl-C reaches this process, which then stops the rest in order. */
function startInside(order: InsideOrder): ChildProcess {
  const { node, release } = order.installation;
  const program = [node, '--enable-source-maps', `${release}/dist/lib/lab/inside.js`];
  return spawn(
    '/usr/bin/setpriv',
    [
      ...['--pdeathsig', 'TERM'],
      ...['/usr/bin/unshare', '--mount', '--propagation', 'private', '--'],
      ...program,
      JSON.stringify(order),
    ],
    {
      cwd: '/',
      detached: true,
      env: { ...CLEAN_ENVIRONMENT, ...consoleSettings(process.env) },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
}

/** Every report becomes `lab.json`, complete at once. The first one is also said to the person. */
function followReports(inside: ChildProcess, places: Places, smtpPort: number): void {
  if (!inside.stdout) throw new Error('the lab has no output');
  let first = true;
  let writing = Promise.resolve();
  createInterface({ input: inside.stdout }).on('line', (line) => {
    const report = JSON.parse(line) as InsideReport;
    writing = writing.then(async () => {
      const facts = await collectFacts(places, smtpPort, report);
      await writeFacts(places, facts);
      if (first) process.stdout.write(announce(places, facts));
      first = false;
    });
  });
}

async function collectFacts(
  places: Places,
  smtpPort: number,
  report: InsideReport,
): Promise<LabFacts> {
  const { user, password } = await keepLogin(places);
  return {
    url: report.url,
    user,
    password,
    smtpPort,
    configDir: places.configDir,
    queueDir: places.queueDir,
    mailDir: places.mailboxes,
    mailLog: places.mailLog,
    helperSocket: places.helperSocket,
    database: process.env['DATABASE_URL'] || `${places.consoleState}/database`,
    pids: { launcher: process.pid, ...report.pids },
  };
}

/** The console tells the first login once, but a lab can be started again. */
async function keepLogin(places: Places): Promise<Login> {
  const file = `${places.root}/var/lib/lab-login.json`;
  const fresh = await takeFirstLogin(places.consoleState);
  if (fresh) {
    await writeFile(file, JSON.stringify(fresh), { mode: 0o600 });
    return fresh;
  }
  return JSON.parse(await readFile(file, 'utf8')) as Login;
}

async function writeFacts({ root }: Places, facts: LabFacts): Promise<void> {
  const staging = `${root}/lab.json.new`;
  await rm(staging, { force: true });
  await writeFile(staging, `${JSON.stringify(facts, null, 2)}\n`, { mode: 0o600 });
  await rename(staging, `${root}/lab.json`);
}

function announce({ root }: Places, facts: LabFacts): string {
  return [
    '',
    `  The lab in ${root} is ready.`,
    '',
    `  Address   ${facts.url}`,
    `  User      ${facts.user}`,
    `  Password  ${facts.password}`,
    `  SMTP      127.0.0.1:${facts.smtpPort}`,
    '',
    `  All of it is in ${root}/lab.json. Ctrl-C stops everything and keeps the data.`,
    '',
    '',
  ].join('\n');
}
