/** `npm start`, after `bin/start.mjs` has installed and built what was missing. */
import { runLab } from '../lab/lab.js';
import { PACKAGE_ROOT } from '../package-root.js';
import { runMachine } from './machine.js';
import { runWithoutRoot } from './without-root.js';
import { LaunchError, parseArguments } from './arguments.js';

/** Resolves with the exit code. */
export async function main(given: readonly string[]): Promise<number> {
  // Whatever the person's umask: what we install must be readable for the users the daemons run as.
  process.umask(0o022);
  try {
    const launch = parseArguments(given, process.env['INIT_CWD'] ?? process.cwd());
    if (launch.lab !== null) return await runLab(launch.lab, launch, PACKAGE_ROOT);
    if (process.getuid?.() !== 0) return await runWithoutRoot(launch, PACKAGE_ROOT);
    return await runMachine(launch, PACKAGE_ROOT);
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    process.stderr.write(`mailserver: ${error.message}\n`);
    return 1;
  }
}
