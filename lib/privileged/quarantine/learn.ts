/**
 * Tells SpamAssassin what a mail was, so that its statistics know better (sa-learn(1)). They belong to amavis, which asks
 * them of every mail: as that user they are written, never as root.
 */
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startOfMail } from '../../quarantine/header.js';
import { MAX_LEARN_BYTES } from '../../quarantine/schema.js';
import { AMAVIS_HOME, AMAVIS_USER, SPAMASSASSIN_FOLDER } from '../../security/places.js';
import { CLEAN_ENVIRONMENT, runNative } from '../native.js';
import type { Paths } from '../paths.js';
import type { QuarantineFolder } from './folder.js';

const SA_LEARN = '/usr/bin/sa-learn';
const SETPRIV = '/usr/bin/setpriv';
/** It loads all rules first, in milliseconds. */
const LEARN_TIMEOUT_MS = 60_000;
const MAX_DETAIL_CHARS = 1_000;

/** What is said of a mail that is not there. */
export const GONE = 'gone';

/** Null when it was learnt, or was known; `GONE`; else why not, in the words of the tool. */
export async function learn(
  as: 'ham' | 'spam',
  folder: QuarantineFolder,
  id: string,
  { root }: Paths,
): Promise<string | null> {
  if (!existsSync(SA_LEARN)) return 'sa-learn';
  const head = await folder.head(id, MAX_LEARN_BYTES);
  if (head === null || head.length === 0) return GONE;
  const place = await mkdtemp(`${root}/run/mailserver-learn-`);
  try {
    const file = path.join(place, 'mail');
    await writeFile(file, head.subarray(startOfMail(head)), { mode: 0o600 });
    const { stdout } = await runNative('/usr/bin/id', ['-u', AMAVIS_USER]);
    await chown(file, Number(stdout), 0);
    await chown(place, Number(stdout), 0);
    const home = `${root}${AMAVIS_HOME}`;
    const answer = await runNative(
      SETPRIV,
      [
        ...[
          '--reuid',
          AMAVIS_USER,
          '--regid',
          AMAVIS_USER,
          '--init-groups',
          '--no-new-privs',
          '--',
        ],
        ...[SA_LEARN, `--${as}`, '--max-size=0', `--siteconfigpath=${root}${SPAMASSASSIN_FOLDER}`],
        // Where amavis has it.
        ...[`--dbpath=${home}/.spamassassin/bayes`, file],
      ],
      { timeoutMs: LEARN_TIMEOUT_MS, environment: { ...CLEAN_ENVIRONMENT, HOME: home }, cwd: home },
    );
    const said = `${answer.stdout}${answer.stderr}`.trim();
    // "0 message(s)" is learnt already.
    if (answer.code === 0 && /\(1 message\(s\) examined\)/.test(said)) return null;
    return said.slice(-MAX_DETAIL_CHARS) || 'sa-learn';
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
