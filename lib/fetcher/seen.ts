/**
 * What fetchmail remembers of mail it has seen (fetchmail(1), --idfile): lines `USER@SERVER UID`. A server that is called
 * something else tomorrow is the same mailbox all the same, and must not be fetched from the beginning.
 */
import { open, readFile, rename } from 'node:fs/promises';

/** Shorter ones, such as plain numbers, are the same on many servers: with these, mail would be passed over. */
const MIN_UNIQUE_CHARS = 8;

/** Goes on with what was seen of this user under another server's name, where nothing is known under this one. */
export async function carrySeenOver(file: string, user: string, server: string): Promise<void> {
  const text = await readFile(file, 'latin1').catch(() => '');
  const carried = carriedOver(text, user, server);
  if (carried === null) return;
  const handle = await open(`${file}.new`, 'w', 0o600);
  await handle.writeFile(carried, 'latin1');
  await handle.sync();
  await handle.close();
  await rename(`${file}.new`, file);
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
