/** `packages-plan`: what apt would install for these packages, with sizes. Changes nothing. */
import { isPackage, PACKAGES, type PackageName } from '../../security/packages.js';
import { planPackages } from '../packages/install.js';
import { defineAction, plainParams } from './action.js';

export interface PackageParams {
  readonly names: readonly PackageName[];
}

export function isPackageList(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= PACKAGES.length &&
    value.every(isPackage)
  );
}

export const packagesPlanAction = defineAction({
  changes: 'never',
  timeoutMs: 150_000,
  params: plainParams<PackageParams>({ names: isPackageList }),
  redact: (params) => params,
  run: ({ names }, { paths }) => planPackages(names, paths),
});
