/**
 * What fetchmail remembers of mail it has seen (fetchmail(1), --idfile): lines `USER@SERVER UID`. A server that is called
 * something else tomorrow is the same mailbox all the same, and must not be fetched from the beginning.
 */
import { access, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import type { FetchPlaces } from './places.js';

/** Shorter ones, such as plain numbers, are the same on many servers: with these, mail would be passed over. */
const MIN_UNIQUE_CHARS = 8;

/** Goes on with what was seen of this user under another server's name, where nothing is known under this one. */
export async function carrySeenOver(file: string, user: string, server: string): Promise<void> {
  const text = await readFile(file, 'latin1').catch(() => '');
  const carried = carriedOver(text, user, server);
  if (carried !== null) await write(file, carried);
}

/**
 * A query that knows nothing yet begins with what others had seen of its mailbox that are no more: one that was deleted and
 * came back by an undo or a restore, or the machine a backup with passwords was made on (`restoredAs`). It takes that from
 * them: fetchmail deletes its file when a mailbox is empty, and servers may use a UID again that is free (RFC 1939 7). Then
 * new mail would pass for seen.
 */
export async function inheritSeen(
  places: FetchPlaces,
  id: string,
  user: string,
  server: string,
): Promise<void> {
  const own = places.of(id).ids;
  if (await exists(own)) return;
  const mailbox = bytesOf(`${user}@${server} `);
  const found = new Set<string>();
  const rests = new Map<string, string>();
  for (const other of await readdir(places.state)) {
    if (!/^\d+$/.test(other) || other === id || (await exists(places.runControl(other)))) continue;
    const file = places.of(other).ids;
    const lines = (await readFile(file, 'latin1').catch(() => '')).split('\n');
    const ours = lines.filter((line) => line.startsWith(mailbox));
    if (ours.length === 0) continue;
    for (const line of ours) found.add(`${line}\n`);
    rests.set(file, lines.filter((line) => !line.startsWith(mailbox)).join('\n'));
  }
  if (found.size === 0) return;
  await write(own, [...found].join(''));
  for (const [file, rest] of rests) await (rest === '' ? rm(file) : write(file, rest));
}

/** The id of a query that never was, for what a backup brings: no query's id begins with a zero. */
export function restoredAs(digest: string): string {
  return `0${BigInt(`0x${digest.slice(0, 12)}`)}`;
}

async function write(file: string, text: string): Promise<void> {
  const handle = await open(`${file}.new`, 'w', 0o600);
  await handle.writeFile(text, 'latin1');
  await handle.sync();
  await handle.close();
  await rename(`${file}.new`, file);
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** Null when nothing is to be done. Pure. */
export function carriedOver(text: string, user: string, server: string): string | null {
  const lines = text.split('\n').filter((line) => line !== '');
  const mailbox = bytesOf(`${user}@`);
  const own = bytesOf(`${user}@${server} `);
  if (lines.some((line) => line.startsWith(own))) return null;
  const uids = lines
    .filter((line) => line.startsWith(mailbox) && !line.slice(mailbox.length).includes('@'))
    .map((line) => line.slice(line.indexOf(' ', mailbox.length) + 1))
    .filter((uid) => uid.length >= MIN_UNIQUE_CHARS);
  if (uids.length === 0) return null;
  return [...lines, ...new Set(uids.map((uid) => `${own}${uid}`))]
    .map((line) => `${line}\n`)
    .join('');
}

/** The file holds bytes. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}
