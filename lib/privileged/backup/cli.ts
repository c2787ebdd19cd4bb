/**
 * Program, for root: all settings with their secrets in one file under a passphrase, and back.
 * `node dist/lib/privileged/backup/cli.js make FILE` and `... restore FILE`, with `--root DIR` in a lab. The passphrase
 * comes from the terminal or from standard input. The console must be running: the settings are in its database.
 */
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatBackup, parseBackup } from '../../backup/file.js';
import { HelperError, UserError, type HelperFailure, type Problem } from '../../errors.js';
import { createI18n, type Translator } from '../../i18n.js';
import { PACKAGE_ROOT } from '../../package-root.js';
import { OWN_FILE, replaceFile } from '../files.js';
import { publicKey } from '../keys.js';
import { pathsBelow } from '../paths.js';
import { secretsOf } from '../secrets.js';
import { lock, LockedFileError, unlock } from './locked-file.js';
import { readPassphrase } from './passphrase.js';
import { readSeenMail, writeSeenMail } from './seen-mail.js';
import { openSecrets, sealSecrets, stripSecrets } from './secrets.js';

const USAGE = 'usage: cli.js make FILE [--root DIR] | cli.js restore FILE [--root DIR]';
/** A restore is a save: it may take as long as one. Milliseconds. */
const TIMEOUT_MS = 660_000;

/** What went wrong, in a sentence for the person at the terminal. */
class CommandError extends Error {}

async function run(): Promise<void> {
  process.umask(0o077);
  const { values, positionals } = readArguments();
  const [action, file] = positionals;
  if ((action !== 'make' && action !== 'restore') || !file || positionals.length > 2) {
    throw new CommandError(USAGE);
  }
  const root = values.root ?? null;
  const socket = `${root ?? ''}/var/lib/mailserver-console/control.sock`;
  await (action === 'make' ? make : restore)(file, root, socket);
}

function readArguments() {
  try {
    return parseArgs({ allowPositionals: true, options: { root: { type: 'string' } } });
  } catch (cause) {
    throw new CommandError(USAGE, { cause });
  }
}

async function make(file: string, root: string | null, socket: string): Promise<void> {
  const backup = parseBackup(await ask(socket, '/backup', ''));
  const secrets = openSecrets(backup.sections, secretsOf(pathsBelow(root)));
  const passphrase = await readPassphrase(['Passphrase: ', 'Once more: ']);
  const settings = formatBackup({ ...backup, sections: stripSecrets(backup.sections) });
  const seen = await readSeenMail(pathsBelow(root));
  await replaceFile(file, await lock({ settings, secrets, seen }, passphrase), OWN_FILE);
  say(
    `${file}: ${Object.keys(backup.sections).length} pages, ${Object.keys(secrets).length} secrets`,
  );
}

async function restore(file: string, root: string | null, socket: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  const passphrase = await readPassphrase(['Passphrase: ']);
  const { settings, secrets, seen = '' } = await unlock(text, passphrase);
  const backup = parseBackup(settings);
  const paths = pathsBelow(root);
  await publicKey(paths);
  const present = parseBackup(await ask(socket, '/backup', ''));
  const sections = sealSecrets(backup.sections, secrets, present.sections, secretsOf(paths));
  if (seen !== '') await writeSeenMail(paths, seen).catch(tellUnseen);
  const answer = await ask(socket, '/restore', formatBackup({ ...backup, sections }));
  const { changed } = JSON.parse(answer) as { changed: boolean };
  say(changed ? 'restored, and in force' : 'everything was as in the file already');
}

/** The settings are worth more than that nothing is fetched twice. */
function tellUnseen(error: unknown): void {
  const why = error instanceof HelperError ? english()(error.key, error.values) : String(error);
  say(
    `what was fetched already is not known here, so mailboxes that keep mail bring it again: ${why}`,
  );
}

/** Asks the running console. Throws `CommandError` with its answer in words. */
function ask(socketPath: string, path: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request(
      { socketPath, path, method: 'POST', timeout: TIMEOUT_MS },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          if (response.statusCode === 200) resolve(text);
          else reject(new CommandError(wordsOf(text)));
        });
      },
    );
    asking.once('timeout', () => asking.destroy(new CommandError('the console does not answer')));
    asking.once('error', (cause) => {
      const away = 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED');
      reject(
        away ? new CommandError(`the console does not run (${socketPath})`, { cause }) : cause,
      );
    });
    asking.end(body);
  });
}

function wordsOf(text: string): string {
  const { problems = [], failure } = JSON.parse(text) as {
    readonly problems?: readonly Problem[];
    readonly failure?: HelperFailure;
  };
  const t = english();
  if (failure) return [t(failure.key, failure.values), failure.detail].join('\n').trim();
  const lines = problems.map(({ key, values }) => t(key, values));
  return lines.length > 0 ? lines.join('\n') : 'the console could not do it; its log says why';
}

function english(): Translator {
  const i18n = createI18n(join(PACKAGE_ROOT, 'locales'), {
    product: 'Mailserver',
    onProblem: () => undefined,
  });
  return i18n.translator('en');
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** What a person can put right in one sentence; our own faults with their stack. */
function explain(error: unknown): string {
  if (error instanceof UserError) {
    const t = english();
    return error.problems.map(({ key, values }) => t(key, values)).join('\n');
  }
  if (!(error instanceof Error)) return String(error);
  const expected =
    error instanceof CommandError ||
    error instanceof LockedFileError ||
    ('code' in error && 'syscall' in error);
  return expected ? error.message : (error.stack ?? error.message);
}

try {
  await run();
} catch (error) {
  say(`mailserver: ${explain(error)}`);
  process.exitCode = 1;
}
