/**
 * Passwords of the console's own accounts: argon2id (RFC 9106), 64 MiB and three passes, about 70 ms.
 */
import { hash, verify } from '@node-rs/argon2';
import { randomInt } from 'node:crypto';
import { MAX_PASSWORD_BYTES } from './schema.js';

const COST = { memoryCost: 64 * 1024, timeCost: 3, parallelism: 1 };
/** Without 0/o, 1/l/i: it is read off a terminal. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';
const GROUPS = 4;
const GROUP_LENGTH = 5;

/** The same password is the same bytes on every keyboard (NFC, RFC 8265 OpaqueString). */
function toBytes(password: string): Buffer {
  return Buffer.from(password.normalize('NFC'), 'utf8');
}

export function isTooLong(password: string): boolean {
  return toBytes(password).length > MAX_PASSWORD_BYTES;
}

export async function hashPassword(password: string): Promise<string> {
  return hash(toBytes(password), COST);
}

/** False for a wrong password and for a hash that is none. */
export async function verifyPassword(passwordHash: string, password: string): Promise<boolean> {
  if (isTooLong(password)) return false;
  try {
    return await verify(passwordHash, toBytes(password));
  } catch {
    return false;
  }
}

/** A password nobody chose, about 99 bits: `abcde-fghjk-mnpqr-stuvw`. */
export function randomPassword(): string {
  const group = (): string =>
    Array.from({ length: GROUP_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return Array.from({ length: GROUPS }, group).join('-');
}
