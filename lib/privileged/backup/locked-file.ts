/**
 * A file with all settings and their secrets under a passphrase: scrypt makes the key (RFC 7914), AES-256-GCM locks the
 * content and vouches for the head. Pure but for the randomness.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';

const FORMAT = 'mailserver-settings-locked';
const VERSION = 1;
/** Takes 128 MiB and some tenths of a second. */
const COST = { N: 2 ** 17, r: 8, p: 1 } as const;
/** What scrypt may take, in bytes: 128 * N * r, and room. */
const MAX_MEMORY_BYTES = 160 * 1024 * 1024;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export const MIN_PASSPHRASE_CHARS = 12;

/** What is wrong with a file or a passphrase, in a sentence for the person at the terminal. */
export class LockedFileError extends Error {
  override readonly name = 'LockedFileError';
}

export interface LockedContent {
  /** The text of a backup file, its sealed boxes left out. */
  readonly settings: string;
  /** By name: the secrets themselves. */
  readonly secrets: Readonly<Record<string, string>>;
  /** What was fetched already from mailboxes that keep their mail; files of older versions have none. */
  readonly seen?: string;
}

interface Head {
  readonly format: string;
  readonly version: number;
  readonly salt: string;
  readonly nonce: string;
}

export async function lock(content: LockedContent, passphrase: string): Promise<string> {
  if ([...passphrase].length < MIN_PASSPHRASE_CHARS) {
    throw new LockedFileError(
      `the passphrase is too short: ${MIN_PASSPHRASE_CHARS} characters at least`,
    );
  }
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const head: Head = {
    format: FORMAT,
    version: VERSION,
    salt: salt.toString('base64'),
    nonce: nonce.toString('base64'),
  };
  const cipher = createCipheriv('aes-256-gcm', await keyFrom(passphrase, salt), nonce);
  cipher.setAAD(Buffer.from(JSON.stringify(head)));
  const locked = Buffer.concat([cipher.update(JSON.stringify(content), 'utf8'), cipher.final()]);
  const sealed = Buffer.concat([locked, cipher.getAuthTag()]).toString('base64');
  return `${JSON.stringify({ ...head, sealed })}\n`;
}

/** Throws `LockedFileError`. A wrong passphrase and a damaged file look the same. */
export async function unlock(text: string, passphrase: string): Promise<LockedContent> {
  const { head, sealed } = readLocked(text);
  const nonce = Buffer.from(head.nonce, 'base64');
  const salt = Buffer.from(head.salt, 'base64');
  if (nonce.length !== NONCE_BYTES || salt.length !== SALT_BYTES || sealed.length < TAG_BYTES) {
    throw new LockedFileError('the file is damaged');
  }
  const decipher = createDecipheriv('aes-256-gcm', await keyFrom(passphrase, salt), nonce);
  decipher.setAAD(Buffer.from(JSON.stringify(head)));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  let opened: string;
  try {
    opened = Buffer.concat([
      decipher.update(sealed.subarray(0, -TAG_BYTES)),
      decipher.final(),
    ]).toString('utf8');
  } catch (cause) {
    throw new LockedFileError('the passphrase is wrong, or the file is damaged', { cause });
  }
  return JSON.parse(opened) as LockedContent;
}

function readLocked(text: string): { head: Head; sealed: Buffer } {
  let parsed: Partial<Head> & { readonly sealed?: unknown };
  try {
    parsed = JSON.parse(text) as typeof parsed;
  } catch (cause) {
    const words = text.slice(0, 100).includes(`"${FORMAT}"`)
      ? 'this is only a part of a file of ours'
      : 'this is no file of ours';
    throw new LockedFileError(words, { cause });
  }
  const { format, version, salt, nonce, sealed } = parsed ?? {};
  if (format !== FORMAT) throw new LockedFileError('this is no file of ours');
  if (typeof version === 'number' && version > VERSION) {
    throw new LockedFileError('the file was made by a newer version; update first');
  }
  const whole =
    version === VERSION &&
    typeof salt === 'string' &&
    typeof nonce === 'string' &&
    typeof sealed === 'string';
  if (!whole) throw new LockedFileError('the file is damaged');
  return { head: { format, version, salt, nonce }, sealed: Buffer.from(sealed, 'base64') };
}

function keyFrom(passphrase: string, salt: Buffer): Promise<Buffer> {
  const options = { ...COST, maxmem: MAX_MEMORY_BYTES };
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), salt, KEY_BYTES, options, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}
