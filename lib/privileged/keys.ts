/** The helper's key pair for sealed secrets. The private key never leaves the state folder. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { encodePublicKey } from '../secrets/seal.js';
import { ensurePrivateFolder, readText, replaceFile } from './files.js';
import { takeLock } from './lock.js';
import type { Paths } from './paths.js';

function keyFile(paths: Paths): string {
  return `${paths.stateDir}/secret.key`;
}

/** Reads the private key; makes one at the first call. */
export async function privateKey(paths: Paths): Promise<KeyObject> {
  const found = await readText(keyFile(paths));
  if (found !== null) return createPrivateKey(found);
  await ensurePrivateFolder(paths.stateDir);
  const lock = await takeLock(`${paths.stateDir}/lock`);
  try {
    const meanwhile = await readText(keyFile(paths));
    if (meanwhile !== null) return createPrivateKey(meanwhile);
    const pair = generateKeyPairSync('x25519');
    const text = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mode: 0o600 };
    await replaceFile(keyFile(paths), text, owner);
    return pair.privateKey;
  } finally {
    lock.release();
  }
}

/** The public key as the web side seals with it. */
export async function publicKey(paths: Paths): Promise<string> {
  return encodePublicKey(createPublicKey(await privateKey(paths)));
}
