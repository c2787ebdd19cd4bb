/**
 * Tells SpamAssassin what a mail was, so that its statistics know better (sa-learn(1)). They belong to amavis, which asks
 * them of every mail: as that user they are written, never as root.
 */
import { existsSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startOfMail } from '../../quarantine/header.js';
import { MAX_LEARN_BYTES } from '../../quarantine/schema.js';
import { AMAVIS_HOME, AMAVIS_USER, SPAMASSASSIN_FOLDER } from '../../security/places.js';
import { runNative } from '../native.js';
import { runNativeAs } from '../native-as.js';
import type { Paths } from '../paths.js';
import type { QuarantineFolder } from './folder.js';

const SA_LEARN = '/usr/bin/sa-learn';
/** It loads all rules first, and then takes its time for each mail, in milliseconds. */
const LOAD_TIMEOUT_MS = 60_000;
const MAIL_TIMEOUT_MS = 10_000;
const MAX_DETAIL_CHARS = 1_000;

/** What is to be learnt of a mail that was kept back; null when it is not there. */
export async function mailToLearn(folder: QuarantineFolder, id: string): Promise<Buffer | null> {
  const head = await folder.head(id, MAX_LEARN_BYTES);
  return head === null || head.length === 0 ? null : head.subarray(startOfMail(head));
}

/** Null when all were learnt, or known; else why not, in the words of the tool. */
export async function learn(
  as: 'ham' | 'spam',
  mails: readonly Buffer[],
  { root }: Paths,
): Promise<string | null> {
  if (!existsSync(SA_LEARN)) return 'sa-learn';
  const place = await mkdtemp(`${root}/run/mailserver-learn-`);
  try {
    const files = mails.map((_, at) => path.join(place, `mail-${at}`));
    const { stdout } = await runNative('/usr/bin/id', ['-g', AMAVIS_USER]);
    // It may read there and not write: root takes this folder away again, and is to find nothing else in it.
    for (const [at, file] of files.entries()) {
      await writeFile(file, mails[at] ?? '', { mode: 0o600 });
      await chown(file, 0, Number(stdout));
      await chmod(file, 0o640);
    }
    await chown(place, 0, Number(stdout));
    await chmod(place, 0o710);
    const home = `${root}${AMAVIS_HOME}`;
    const answer = await runNativeAs(
      { user: AMAVIS_USER, allGroups: true, home },
      SA_LEARN,
      [
        ...[`--${as}`, '--max-size=0', `--siteconfigpath=${root}${SPAMASSASSIN_FOLDER}`],
        // Where amavis has it.
        ...[`--dbpath=${home}/.spamassassin/bayes`, ...files],
      ],
      { timeoutMs: LOAD_TIMEOUT_MS + mails.length * MAIL_TIMEOUT_MS, cwd: home },
    );
    const said = `${answer.stdout}${answer.stderr}`.trim();
    // "0 message(s)" is learnt already.
    const examined = Number(/\((\d+) message\(s\) examined\)/.exec(said)?.[1]);
    if (answer.code === 0 && examined === mails.length) return null;
    return said.slice(-MAX_DETAIL_CHARS) || 'sa-learn';
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
