/**
 * Loaded before each test file by `bin/test.mjs`. A quick test starts no program that a machine without our Debian packages
 * lacks, so that `npm run check` says the same everywhere.
 */
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';

/** Those of Debian's essential packages, openssl, and packers, which their tests pass over where they are missing. */
const THERE = new Set(['bzip2', 'flock', 'mkfifo', 'node', 'openssl', 'sh', 'xz', 'zstd']);

const [, file = ''] = process.argv;
if (/\.test\.js$/.test(file) && !/\.(lab|appliance)\.test\.js$/.test(file)) {
  for (const name of ['spawn', 'spawnSync', 'execFile', 'execFileSync'] as const) {
    const start = childProcess[name] as (program: string, ...rest: unknown[]) => unknown;
    const checked = (program: string, ...rest: unknown[]): unknown => {
      if (THERE.has(basename(program)) || program.startsWith(tmpdir()))
        return start(program, ...rest);
      throw new Error(`${program} is not on every machine: a test that needs it is a .lab.test.ts`);
    };
    // `promisify` finds its own version of execFile among them.
    Object.defineProperties(checked, Object.getOwnPropertyDescriptors(start));
    Object.assign(childProcess, { [name]: checked });
  }
  syncBuiltinESMExports();
}
