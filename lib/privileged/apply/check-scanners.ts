/**
 * The scanners' own checkers, on the new files, before anything that runs sees them. Our part of amavis' configuration is a
 * program: it is tried as the user that will run it, never as root.
 */
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { HelperError } from '../../errors.js';
import {
  AMAVIS_FILE,
  AMAVIS_USER,
  CLAMD_FILE,
  SPAMASSASSIN_FILE,
  SPAMASSASSIN_FOLDER,
} from '../../security/places.js';
import { amavisFiles } from '../amavis-files.js';
import { runNativeAs } from '../native-as.js';
import type { Paths } from '../paths.js';
import type { Replacement } from './journal.js';

/** How long one checker may take, in milliseconds. */
const CHECK_TIMEOUT_MS = 60_000;
const NOBODY = 'nobody';

/** Throws at stage `check`, with the checker's words, when one of them refuses a new file. */
export async function checkScanners(
  replacements: readonly Replacement[],
  paths: Paths,
): Promise<void> {
  const contentOf = (name: string): string | null => {
    const found = replacements.find(({ file }) => file === paths.root + name);
    return typeof found?.content === 'string' ? found.content : null;
  };
  const amavis = contentOf(AMAVIS_FILE);
  const spamAssassin = contentOf(SPAMASSASSIN_FILE);
  const clamd = contentOf(CLAMD_FILE);
  if (amavis === null && spamAssassin === null && clamd === null) return;
  const folder = await mkdtemp(`${paths.root}/run/mailserver-check-`);
  try {
    await chmod(folder, 0o755);
    await Promise.all([
      amavis === null ? null : checkAmavis(amavis, folder, paths),
      spamAssassin === null ? null : checkSpamAssassin(spamAssassin, folder, paths),
      clamd === null ? null : checkClamd(clamd, folder),
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function checkAmavis(content: string, folder: string, paths: Paths): Promise<void> {
  const staged = path.join(folder, path.basename(AMAVIS_FILE));
  await write(staged, content);
  const files = (await amavisFiles(paths)).map((file) =>
    path.basename(file) === path.basename(AMAVIS_FILE) ? staged : file,
  );
  const all = files.includes(staged) ? files : [...files, staged];
  await run('amavisd', AMAVIS_USER, '/usr/sbin/amavisd', [
    ...all.flatMap((file) => ['-c', file]),
    'test-config',
  ]);
}

async function checkSpamAssassin(content: string, folder: string, { root }: Paths): Promise<void> {
  const own = path.join(folder, 'spamassassin');
  await write(path.join(own, path.basename(SPAMASSASSIN_FILE)), content);
  for (const name of await readdir(root + SPAMASSASSIN_FOLDER)) {
    const link = path.join(own, name);
    if (/\.(?:pre|cf)$/.test(name) && !existsSync(link))
      await symlink(`${root}${SPAMASSASSIN_FOLDER}/${name}`, link);
  }
  await run('spamassassin --lint', NOBODY, '/usr/bin/spamassassin', [
    ...['--lint', '-L', `--siteconfigpath=${own}`, '-p', '/dev/null'],
  ]);
}

/** It says what it does not understand, and calls that a success. */
async function checkClamd(content: string, folder: string): Promise<void> {
  await write(path.join(folder, 'clamd.conf'), content);
  const answer = await as(NOBODY, '/usr/bin/clamconf', ['-c', folder]);
  const complaints = answer.stderr.split('\n').filter((line) => /^(?:ERROR|WARNING)/.test(line));
  if (complaints.length > 0) throw refused('clamconf', complaints.join('\n'));
}

async function write(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o755 });
  await chmod(path.dirname(file), 0o755);
  await writeFile(file, content, { mode: 0o644 });
  await chmod(file, 0o644);
}

async function run(
  program: string,
  user: string,
  command: string,
  args: readonly string[],
): Promise<void> {
  const { code, stdout, stderr } = await as(user, command, args);
  if (code !== 0) throw refused(program, `${stdout}${stderr}`.trim());
}

function as(user: string, command: string, args: readonly string[]) {
  const other = { user, group: user === NOBODY ? 'nogroup' : user, home: '/nonexistent' };
  return runNativeAs(other, command, args, { timeoutMs: CHECK_TIMEOUT_MS });
}

function refused(program: string, detail: string): HelperError {
  const key = 'helper.check.scanner';
  return new HelperError({ stage: 'check', key, values: { program }, detail, restored: true });
}
