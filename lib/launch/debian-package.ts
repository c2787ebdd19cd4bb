/** The Debian package beside `npm start`: both put the same services on a machine, so only one of them may. */
import { existsSync } from 'node:fs';
import { LaunchError } from './arguments.js';

export const PACKAGE_NAME = 'mailserver-console';
/** Where the package has its programs. */
export const PACKAGE_HOME = `/usr/lib/${PACKAGE_NAME}`;

/** Throws a `LaunchError` on a machine where the package is installed. */
export function refuseBesidePackage(home = PACKAGE_HOME): void {
  if (!existsSync(`${home}/package.json`)) return;
  throw new LaunchError(
    `the Debian package ${PACKAGE_NAME} looks after this machine: update it with apt install ./FILE.deb. ` +
      `To run this build in its place: apt remove ${PACKAGE_NAME} (all settings stay), then npm start`,
  );
}
