/** The command line of `npm start`. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** Where the console of a whole machine listens unless it is told otherwise: this machine alone. */
export const DEFAULT_LISTEN = '127.0.0.1:8025';

export interface LaunchArguments {
  /** Absolute path of the lab's folder; null for the machine itself. */
  readonly lab: string | null;
  /** `address:port` or `unix:/path` for the console; port 0 lets the system choose. Null when nothing was said. */
  readonly listen: string | null;
}

/** Something the person at the keyboard can put right; shown without a stack. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError';
}

export const USAGE = `npm start                                    sets this machine up and starts the console
npm start -- --lab DIR [--port N]            everything in a private folder, touching nothing of this machine
npm start -- --listen ADDRESS:PORT           where the console listens (default ${DEFAULT_LISTEN})`;

/** Throws a `LaunchError` for what it does not understand. */
export function parseArguments(given: readonly string[], cwd: string): LaunchArguments {
  const { lab, port, listen } = readOptions(given);
  if (lab === '') throw new LaunchError(`--lab needs a folder\n\n${USAGE}`);
  if (port !== undefined && listen !== undefined) {
    throw new LaunchError('--port and --listen say the same: give one of them');
  }
  if (listen !== undefined) return { lab: folder(lab, cwd), listen: checkListen(listen) };
  if (port !== undefined)
    return { lab: folder(lab, cwd), listen: checkListen(`127.0.0.1:${port}`) };
  return { lab: folder(lab, cwd), listen: null };
}

function readOptions(given: readonly string[]) {
  try {
    return parseArgs({
      args: [...given],
      options: {
        lab: { type: 'string' },
        port: { type: 'string' },
        listen: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new LaunchError(`${(error as Error).message}\n\n${USAGE}`);
  }
}

function folder(lab: string | undefined, cwd: string): string | null {
  return lab === undefined ? null : resolve(cwd, lab);
}

function checkListen(listen: string): string {
  if (/^unix:\/[^\s]+$/.test(listen)) return listen;
  const port = /^(?:[0-9.]+|\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(listen)?.[1];
  if (port === undefined || Number(port) > 65535) {
    throw new LaunchError(`"${listen}" is no address and port, such as ${DEFAULT_LISTEN}`);
  }
  return listen;
}
