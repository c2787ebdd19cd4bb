/** `packages-install`: installs packages of the fixed list with apt, and tells how far it is. */
import { installPackages, PACKAGES_LIMIT_MS } from '../packages/install.js';
import { defineAction, plainParams } from './action.js';
import { isPackageList, type PackageParams } from './packages-plan.js';

export const packagesInstallAction = defineAction({
  timeoutMs: PACKAGES_LIMIT_MS,
  changes: 'told',
  params: plainParams<PackageParams>({ names: isPackageList }),
  redact: (params) => params,
  run: ({ names }, context) => installPackages(names, context),
});
