/**
 * What was fetched already from mailboxes that keep their mail, for the locked backup: on another machine it would all be
 * fetched again.
 */
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { FETCH_STATE, fetchPlaces } from '../../fetcher/places.js';
import { readWord } from '../../fetcher/run-control-words.js';
import { restoredAs } from '../../fetcher/seen.js';
import { seedSeen } from '../fetcher.js';
import { readText } from '../files.js';
import type { Paths } from '../paths.js';

/** Lines `USER@SERVER UID` of all queries, as fetchmail keeps them (fetchmail(1), --idfile). */
export async function readSeenMail({ root }: Paths): Promise<string> {
  const places = fetchPlaces(root);
  const ids = (await readdir(places.state).catch(() => [])).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    ids.map(async (id) => {
      const runControl = await readText(places.runControl(id));
      if (runControl === null) return [];
      // Written without our rights: only what is about this mailbox is taken from it.
      const mailbox = `${readWord(runControl, 'user')}@${readWord(runControl, 'via')} `;
      const text = await readText(places.of(id).ids).catch(() => null);
      return (text ?? '').split('\n').filter((line) => line.startsWith(mailbox));
    }),
  );
  return lines
    .flat()
    .map((line) => `${line}\n`)
    .join('');
}

/** To be there before the queries are: each takes what is about its mailbox when it first looks. Throws `HelperError`. */
export async function writeSeenMail(paths: Paths, lines: string): Promise<void> {
  const { uid, gid } = await stat(paths.root + FETCH_STATE);
  const digest = createHash('sha256').update(lines).digest('hex');
  await seedSeen(paths, restoredAs(digest), lines, { uid, gid });
}
