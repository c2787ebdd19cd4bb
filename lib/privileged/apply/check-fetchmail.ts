/** fetchmail's own reading of the files it will be given, before they are in place: as the account that fetches, never as root. */
import { existsSync } from 'node:fs';
import { HelperError } from '../../errors.js';
import { FETCH_FOLDER, FETCH_USER } from '../../fetchmail/section.js';
import { runNativeAs } from '../native-as.js';
import type { Paths } from '../paths.js';
import type { Replacement } from './journal.js';

const FETCHMAIL = '/usr/bin/fetchmail';
const RUN_CONTROL = '.rc';

/** Throws at stage `check`, with fetchmail's words, when it does not understand one of the new files. */
export async function checkFetchmail(
  replacements: readonly Replacement[],
  { root }: Pick<Paths, 'root'>,
): Promise<void> {
  const texts = replacements.flatMap(({ file, content }) =>
    file.startsWith(`${root}${FETCH_FOLDER}/`) &&
    file.endsWith(RUN_CONTROL) &&
    typeof content === 'string'
      ? [content]
      : [],
  );
  if (texts.length === 0 || !existsSync(FETCHMAIL)) return;
  // Together, as there may be hundreds: each is whole statements. Through stdin: passwords stand in no other file.
  const answer = await runNativeAs(
    { user: FETCH_USER, home: '/' },
    FETCHMAIL,
    ['-f', '-', '--configdump'],
    // It prints all it understood, the passwords too, which nobody keeps.
    { input: texts.join('\n'), onStdout: () => undefined },
  );
  if (answer.code !== 0) throw refused(answer.stderr);
}

/** It repeats the word it stumbled over, which may be a password: only where it did is told. */
function refused(complaint: string): HelperError {
  const values = { program: 'fetchmail --configdump' };
  const detail = complaint.trim().replace(/ at .*$/gms, '');
  return new HelperError({
    ...{ stage: 'check', key: 'helper.check.scanner', values },
    ...{ detail, restored: true },
  });
}
