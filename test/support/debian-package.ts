/** The Debian package of this clone, as `npm run package` builds it. */
import { execFile } from 'node:child_process';
import { copyFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { PACKAGE_ROOT } from '../../lib/package-root.js';
import type { Appliance } from './appliance.js';

/** Returns its path. Hardly compressed, because it is thrown away soon. */
export async function buildPackage(version: string): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['bin/package.mjs', '--fast', '--version', version],
    { cwd: PACKAGE_ROOT },
  );
  return stdout.trim();
}

/** Installs or upgrades with apt, as README says it. Returns what it said. */
export async function installPackage(appliance: Appliance, file: string): Promise<string> {
  const inside = `/var/tmp/${basename(file)}`;
  await copyFile(file, appliance.path(inside));
  return appliance.must(
    ...['env', 'DEBIAN_FRONTEND=noninteractive'],
    ...['apt-get', '-q', '-y', '--no-install-recommends', 'install', inside],
  );
}
