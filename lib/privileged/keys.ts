/** The helper's key pair for sealed secrets. The private key never leaves the state folder. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { encodePublicKey } from '../secrets/seal.js';
import { ensurePrivateFolder, OWN_FILE, readText, replaceFile } from './files.js';
import { takeLock } from './lock.js';
import type { Paths } from './paths.js';

function keyFile(paths: Paths): string {
  return `${paths.stateDir}/secret.key`;
}

/** The private key. Throws a `RangeError` when there is none yet: then no box can be for us. */
export function readPrivateKey(paths: Paths): KeyObject {
  const file = keyFile(paths);
  if (!existsSync(file)) throw new RangeError('no key pair yet');
  return createPrivateKey(readFileSync(file, 'utf8'));
}

/** Reads the private key; makes one at the first call. */
async function privateKey(paths: Paths): Promise<KeyObject> {
  const found = await readText(keyFile(paths));
  if (found !== null) return createPrivateKey(found);
  await ensurePrivateFolder(paths.stateDir);
  const lock = await takeLock(`${paths.stateDir}/lock`);
  try {
    const meanwhile = await readText(keyFile(paths));
    if (meanwhile !== null) return createPrivateKey(meanwhile);
    const pair = generateKeyPairSync('x25519');
    const text = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
    await replaceFile(keyFile(paths), text, OWN_FILE);
    return pair.privateKey;
  } finally {
    lock.release();
  }
}

/** The public key as the web side seals with it. */
export async function publicKey(paths: Paths): Promise<string> {
  return encodePublicKey(createPublicKey(await privateKey(paths)));
}
