/** The command line of `npm run package`. */
import { parseArgs } from 'node:util';

export interface PackagingArguments {
  /** Version of the package; null: that of `package.json`. */
  readonly version: string | null;
  /** Compressed for speed, for a package that is thrown away soon. */
  readonly fast: boolean;
}

/** Something the person at the keyboard can put right; shown without a stack. */
export class PackagingError extends Error {
  override readonly name = 'PackagingError';
}

const USAGE = `npm run package                        builds the Debian package in dist/package
npm run package -- --version VERSION   with another version than package.json says
npm run package -- --fast              hardly compressed: twice as large, made in a tenth of the time`;

/** What dpkg takes as the version of a package of our own (deb-version(7), without epoch and revision). */
const VERSION = /^\d[A-Za-z0-9.+~]{0,40}$/;

/** Throws a `PackagingError` for what it does not understand. */
export function parseArguments(given: readonly string[]): PackagingArguments {
  const { version = null, fast } = readOptions(given);
  if (version !== null && !VERSION.test(version)) {
    throw new PackagingError(`"${version}" is no version, such as 1.1.0 or 1.1.0~rc1`);
  }
  return { version, fast };
}

function readOptions(given: readonly string[]) {
  try {
    return parseArgs({
      args: [...given],
      options: {
        version: { type: 'string' },
        fast: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new PackagingError(`${(error as Error).message}\n\n${USAGE}`);
  }
}
