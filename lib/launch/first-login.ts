/** The first account's name and password: the console writes them once, we show them once. */
import { readFile, rm } from 'node:fs/promises';

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** Null when the console has accounts already. The file is gone afterwards. */
export async function takeFirstLogin(stateFolder: string): Promise<Login | null> {
  const file = `${stateFolder}/first-login.json`;
  try {
    const login = JSON.parse(await readFile(file, 'utf8')) as Login;
    await rm(file);
    return login;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
