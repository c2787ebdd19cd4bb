/** A whole lab, started as README says it, in a folder of its own; see `lib/lab`. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LabFacts } from '../../lib/lab/lab.js';
import { placesBelow } from '../../lib/launch/places.js';
import { identifyLab, labProcesses } from '../../lib/lab/processes.js';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import { ConsoleClient } from './console-client.js';
import { readMaildir, readMbox } from './mailbox.js';
import { sendMail, type Delivery, type Message } from './smtp-client.js';
import { until } from './wait.js';

export interface LabOptions {
  /** The folder of a lab that ran before; a new one, removed at the end, when not given. */
  readonly root?: string;
  /** Settings of the console, such as `DATABASE_URL`. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Lab {
  readonly root: string;
  /** What `lab.json` says now; a part that was started again has another process id. */
  facts(): Promise<LabFacts>;
  readonly url: string;
  readonly smtpPort: number;
  readonly configDir: string;
  /** A new browser without script, signed in as the first administrator. */
  signIn(): Promise<ConsoleClient>;
  /** A new browser that is not signed in. */
  browser(): ConsoleClient;
  sendMail(message: Message): Promise<Delivery>;
  /** The messages in a user's system mailbox and Maildir, oldest first. */
  mailbox(user: string): Promise<string[]>;
  /** Waits for a message that holds the text. */
  waitForMail(user: string, text: string): Promise<string>;
  /** The effective value of a parameter, asked of the lab's own main.cf. */
  postconf(parameter: string): Promise<string>;
  mailLog(): Promise<string>;
  /** The process ids of everything that runs in it. */
  processes(): Promise<number[]>;
  /** Stops everything and removes the folder, unless it was given. Resolves with the launcher's exit code. */
  stop(): Promise<number | null>;
  /** Kills the process that `npm start` runs, as a crash would; the folder stays. */
  kill(): Promise<void>;
}

/** Rejects with what the launcher said when the lab does not come up. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const root = options.root ?? mkdtempSync(join(tmpdir(), 'mailserver-lab-'));
  const program = [process.execPath, join(PACKAGE_ROOT, 'bin/start.mjs'), '--lab', root];
  const launcher = spawn(
    '/usr/bin/setpriv',
    // Stopped when the test is killed.
    ['--pdeathsig', 'TERM', ...program],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '', ...options.environment },
    },
  );
  const ended = new Promise<number | null>((resolve) => launcher.once('exit', resolve));
  let wanted = false;
  const said = await waitUntilReady(launcher);
  // One that ends while a test is at work says why.
  void ended.then((code) => {
    if (!wanted || code !== 0)
      process.stderr.write(`the lab ended with ${code}: ${said().slice(-2_000)}\n`);
  });
  const lab = await labIn(root, launcher, ended, options.root === undefined);
  return {
    ...lab,
    stop: () => {
      wanted = true;
      return lab.stop();
    },
    kill: () => {
      wanted = true;
      return lab.kill();
    },
  };
}

/** Resolves with a way to ask what it has said. */
function waitUntilReady(launcher: ChildProcess): Promise<() => string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const listen = (chunk: Buffer): void => {
      said += chunk.toString();
      if (said.includes('is ready.')) resolve(() => said);
    };
    launcher.stdout?.on('data', listen);
    launcher.stderr?.on('data', listen);
    launcher.once('error', reject);
    launcher.once('exit', () => reject(new Error(`the lab did not start: ${said}`)));
  });
}

async function labIn(
  root: string,
  launcher: ChildProcess,
  ended: Promise<number | null>,
  removeAtEnd: boolean,
): Promise<Lab> {
  const places = placesBelow(root);
  const facts = async () => JSON.parse(await readFile(`${root}/lab.json`, 'utf8')) as LabFacts;
  const identity = await identifyLab(places);
  const { url, smtpPort, configDir, user, password } = await facts();
  const browser = (): ConsoleClient => new ConsoleClient(url);
  const mailbox = async (login: string): Promise<string[]> => [
    ...(await readMbox(`${places.mailboxes}/${login}`)),
    ...(await readMaildir(`${root}/home/${login}/Maildir`)),
  ];
  return {
    root,
    facts,
    url,
    smtpPort,
    configDir,
    browser,
    signIn: () => browser().signIn(user, password),
    sendMail: (message) => sendMail(smtpPort, message),
    mailbox,
    waitForMail: (login, text) =>
      until(`a mail for ${login} with "${text}"`, async () =>
        (await mailbox(login)).find((message) => message.includes(text)),
      ),
    postconf: async (parameter) => {
      const args = ['-c', configDir, '-h', parameter];
      return (await promisify(execFile)('/usr/sbin/postconf', args)).stdout.replace(/\n$/, '');
    },
    mailLog: () => readFile(places.mailLog, 'utf8'),
    processes: () => labProcesses(identity),
    stop: async () => {
      launcher.kill('SIGTERM');
      const code = await ended;
      if (removeAtEnd) await rm(root, { recursive: true, force: true });
      return code;
    },
    kill: async () => {
      launcher.kill('SIGKILL');
      await ended;
    },
  };
}
