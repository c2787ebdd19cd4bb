/**
 * Small files of the state folder: the secret that signs cookies, and the first login.
 */
import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

const SECRET_BYTES = 32;

/** Makes the folder when it is missing and closes it to everyone else. */
export async function prepareStateFolder(stateDir: string): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await chmod(stateDir, 0o700);
}

/** The console's own secret, made at the first start. Whoever has it can forge sessions, so it is 0600. */
export async function readOrCreateSecret(stateDir: string): Promise<Buffer> {
  const path = join(stateDir, 'session-secret');
  const known = await readSecret(path);
  if (known !== null) return known;
  await writeWhole(path, randomBytes(SECRET_BYTES).toString('hex') + '\n');
  const made = await readSecret(path);
  if (made === null) throw new Error(`${path} could not be read back`);
  return made;
}

/** Leaves the first password where only root and the console can read it; whoever prints it deletes it. */
export async function writeFirstLogin(
  stateDir: string,
  login: { readonly user: string; readonly password: string },
): Promise<void> {
  const path = join(stateDir, 'first-login.json');
  await rm(path, { force: true });
  await writeWhole(path, JSON.stringify(login) + '\n');
}

async function readSecret(path: string): Promise<Buffer | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const secret = Buffer.from(text.trim(), 'hex');
  if (secret.length !== SECRET_BYTES) throw new Error(`${path} is damaged: remove it and restart`);
  return secret;
}

/** Writes a file that is there whole or not at all; an existing one wins (another process was faster). */
async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}
