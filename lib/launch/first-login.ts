/** The first account's name and password: the console writes them once, we show them once. */
import { readFile, rm } from 'node:fs/promises';
import type { Places } from './places.js';

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** Null when the console has accounts already. The file is gone afterwards. */
export async function takeFirstLogin(places: Places): Promise<Login | null> {
  const file = `${places.consoleState}/first-login.json`;
  try {
    const login = JSON.parse(await readFile(file, 'utf8')) as Login;
    await rm(file);
    return login;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
