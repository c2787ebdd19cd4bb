/** The group that lets the virus scanner read what amavis has taken apart (README.Debian of amavisd-new). */
import { writeFile } from 'node:fs/promises';
import { AMAVIS_USER } from '../../security/places.js';
import { readText } from '../files.js';
import { runNative } from '../native.js';
import type { Paths } from '../paths.js';

const SCANNER_USER = 'clamav';

export async function isMember({ root }: Pick<Paths, 'root'>): Promise<boolean> {
  const line = ((await readText(`${root}/etc/group`)) ?? '')
    .split('\n')
    .find((one) => one.startsWith(`${AMAVIS_USER}:`));
  return (line?.split(':')[3] ?? '').split(',').includes(SCANNER_USER);
}

/** The running daemon learns of it when it is started anew. */
export async function join({ root }: Pick<Paths, 'root'>): Promise<void> {
  if (await isMember({ root })) return;
  if (root === '') {
    const answer = await runNative('/usr/bin/gpasswd', ['-a', SCANNER_USER, AMAVIS_USER]);
    if (answer.code !== 0) throw new Error(`gpasswd: ${answer.stderr.trim()}`);
    return;
  }
  // In place: the processes of a private root see this very file at /etc/group.
  const file = `${root}/etc/group`;
  const lines = ((await readText(file)) ?? '').split('\n').map((line) => {
    if (!line.startsWith(`${AMAVIS_USER}:`)) return line;
    return line.endsWith(':') ? `${line}${SCANNER_USER}` : `${line},${SCANNER_USER}`;
  });
  await writeFile(file, lines.join('\n'));
}
