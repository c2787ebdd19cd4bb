/** fetchmail's own reading of the files it will be given, before they are in place: as the account that fetches, never as root. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { HelperError } from '../../errors.js';
import { FETCH_FOLDER, FETCH_USER } from '../../fetchmail/section.js';
import { runNativeAs } from '../native-as.js';
import type { Paths } from '../paths.js';
import type { Replacement } from './journal.js';

const FETCHMAIL = '/usr/bin/fetchmail';
const RUN_CONTROL = '.rc';

interface RunControl {
  readonly file: string;
  readonly content: string;
}

/** Throws at stage `check`, with fetchmail's words and the file they are about, when it does not understand a new file. */
export async function checkFetchmail(
  replacements: readonly Replacement[],
  { root }: Pick<Paths, 'root'>,
): Promise<void> {
  const files = replacements.flatMap(({ file, content }) =>
    file.startsWith(`${root}${FETCH_FOLDER}/`) &&
    file.endsWith(RUN_CONTROL) &&
    typeof content === 'string'
      ? [{ file, content }]
      : [],
  );
  if (files.length === 0 || !existsSync(FETCHMAIL)) return;
  const complaint = await complaintAbout(files);
  if (complaint !== null) throw await refusalOf(files, complaint);
}

/** What fetchmail has against them; null when it understands them. Together, as there may be hundreds. */
async function complaintAbout(files: readonly RunControl[]): Promise<string | null> {
  // Each is whole statements. Through stdin: passwords stand in no other file.
  const answer = await runNativeAs(
    { user: FETCH_USER, home: '/' },
    FETCHMAIL,
    ['-f', '-', '--configdump'],
    // It prints all it understood, the passwords too, which nobody keeps.
    { input: files.map(({ content }) => content).join('\n'), onStdout: () => undefined },
  );
  return answer.code === 0 ? null : answer.stderr;
}

/** Finds the first file that is refused alone too: the line of one is of use, that of all together is not. */
async function refusalOf(files: readonly RunControl[], complaint: string): Promise<HelperError> {
  const [only] = files;
  if (only && files.length === 1) return refused(`${basename(only.file)}: ${placeOf(complaint)}`);
  const half = files.length >> 1;
  for (const some of [files.slice(0, half), files.slice(half)]) {
    const own = await complaintAbout(some);
    if (own !== null) return refusalOf(some, own);
  }
  return refused(placeOf(complaint));
}

/** It repeats the word it stumbled over, which may be a password: only where it did is told. */
function placeOf(complaint: string): string {
  return complaint.trim().replace(/ at .*$/gms, '');
}

function refused(detail: string): HelperError {
  const values = { program: 'fetchmail --configdump' };
  return new HelperError({
    ...{ stage: 'check', key: 'helper.check.scanner', values },
    ...{ detail, restored: true },
  });
}
