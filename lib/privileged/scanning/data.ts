/** What the scanners know: the virus signatures and the rules for spam, and how old both are. */
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { SIGNATURE_FOLDER } from '../../security/places.js';
import type { Paths } from '../paths.js';
import { signatureFiles } from '../services/scanners.js';

/** Bytes of the head of a database of ClamAV's makers. */
const HEAD_BYTES = 512;
/** Where sa-update(1) puts the rules, in a folder for each version of SpamAssassin. */
export const RULES_FOLDER = '/var/lib/spamassassin';
const PACKAGED_RULES = '/usr/share/spamassassin';

export interface Signatures {
  /** The makers' number of the daily part; null for signatures that are not theirs. */
  readonly version: number | null;
  readonly at: string;
}

/** The newest of them; null without any. */
export async function readSignatures(paths: Pick<Paths, 'root'>): Promise<Signatures | null> {
  const files = (await signatureFiles(paths)).map(
    (name) => paths.root + SIGNATURE_FOLDER + '/' + name,
  );
  const found = await Promise.all(files.map(readHead));
  const official = found.filter(({ version }) => version !== null);
  const candidates = official.length > 0 ? official : found;
  return candidates.reduce<Signatures | null>(
    (newest, one) => (newest === null || one.at > newest.at ? one : newest),
    null,
  );
}

/** `ClamAV-VDB:` time, number, … in the first bytes; `daily` is what changes every day. */
async function readHead(file: string): Promise<Signatures> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const head = buffer.subarray(0, bytesRead).toString('latin1');
    const match = /^ClamAV-VDB:([^:]+:?[^:]*[^:]*):(\d+):/.exec(head);
    const { mtime } = await handle.stat();
    const daily = path.basename(file).startsWith('daily.');
    const made = new Date((match?.[1] ?? '').replace(/ (\d\d)-(\d\d) /, ' $1:$2 '));
    const at = daily && !Number.isNaN(made.getTime()) ? made : mtime;
    return { version: daily && match ? Number(match[2]) : null, at: at.toISOString() };
  } finally {
    await handle.close();
  }
}

/**
 * When the rules were fetched, or those of the package made where none were. Null in a private root, which has those of its
 * machine and cannot change them, and where there are none.
 */
export async function readRules({ root }: Paths): Promise<{ readonly at: string } | null> {
  const fetched = await whenFetched();
  if (fetched !== null || root !== '') return fetched;
  return moment(await Promise.all((await packagedRules()).map((file) => stat(file))));
}

async function whenFetched(): Promise<{ readonly at: string } | null> {
  const times = await Promise.all(
    (await ruleFolders()).map((folder) =>
      stat(`${folder}/updates_spamassassin_org.cf`).catch(() => null),
    ),
  );
  return moment(times);
}

function moment(
  files: readonly ({ readonly mtimeMs: number } | null)[],
): { readonly at: string } | null {
  const newest = Math.max(0, ...files.map((one) => one?.mtimeMs ?? 0));
  return newest > 0 ? { at: new Date(newest).toISOString() } : null;
}

/** Whether there are rules at all. A folder of fetched ones without any hides those of the package from SpamAssassin. */
export async function hasRules(): Promise<boolean> {
  const [packaged, empty, fetched] = await Promise.all([
    packagedRules(),
    foldersWithoutRules(),
    whenFetched(),
  ]);
  return empty.length === 0 && (packaged.length > 0 || fetched !== null);
}

async function packagedRules(): Promise<readonly string[]> {
  const names = await readdir(PACKAGED_RULES).catch(() => []);
  return names.filter(isRules).map((name) => `${PACKAGED_RULES}/${name}`);
}

/** What a fetch that came to nothing leaves behind. */
export async function foldersWithoutRules(): Promise<readonly string[]> {
  const folders = await ruleFolders();
  const names = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  return folders.filter((_, at) => !names[at]?.some(isRules));
}

async function ruleFolders(): Promise<readonly string[]> {
  const versions = await readdir(RULES_FOLDER).catch(() => []);
  return versions.filter((name) => /^\d\.\d+$/.test(name)).map((name) => `${RULES_FOLDER}/${name}`);
}

function isRules(name: string): boolean {
  return name.endsWith('.cf');
}
