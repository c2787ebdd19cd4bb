/** The Debian packages that bring what looks at mail: all that this plugin would ever install. Pure; both sides use it. */
import type { ResultOf } from '../privileged/actions/index.js';

type ScannerStatus = ResultOf<'security-status'>;

export const PACKAGES = [
  'amavisd-new',
  'clamav-daemon',
  'clamav-freshclam',
  'pax',
  'postfix-policyd-spf-python',
  'postgrey',
  'spamassassin',
] as const;
export type PackageName = (typeof PACKAGES)[number];

/** What clamd needs with the official signatures, in MB: they take that much, and a reload holds them for a moment twice. */
export const CLAMD_MEMORY_MB = 1_300;

/** What the programs of a package take while they run, in MB, as measured; the rest run for a moment only, or within others. */
export const MEMORY_MB: Readonly<Partial<Record<PackageName, number>>> = {
  // A parent and two that look at mail, SpamAssassin within each.
  'amavisd-new': 450,
  'clamav-daemon': CLAMD_MEMORY_MB,
  'clamav-freshclam': 15,
  postgrey: 30,
  'postfix-policyd-spf-python': 25,
};

export function isPackage(value: unknown): value is PackageName {
  return PACKAGES.some((name) => name === value);
}

/** What spam protection and virus protection lack. */
export function missingPackages({ amavis, spamassassin, clamav, freshclam }: ScannerStatus): {
  readonly spam: readonly PackageName[];
  readonly virus: readonly PackageName[];
} {
  const both = [...lacking('amavisd-new', amavis.installed), ...lacking('pax', amavis.pax)];
  return {
    spam: [...both, ...lacking('spamassassin', spamassassin.installed)],
    virus: [
      ...both,
      ...lacking('clamav-daemon', clamav.installed),
      ...lacking('clamav-freshclam', freshclam.installed),
    ],
  };
}

/** What the policy server lacks. */
export function missingPolicyPackages(installed: {
  readonly postgrey: boolean;
  readonly spf: boolean;
}): readonly PackageName[] {
  return [
    ...lacking('postgrey', installed.postgrey),
    ...lacking('postfix-policyd-spf-python', installed.spf),
  ];
}

/** Whether all that needs what was installed is switched on already. */
export function isOnAlready(
  installed: readonly string[],
  { settings, policy }: Pick<ScannerStatus, 'settings' | 'policy'>,
): boolean {
  const { spam = false, virus = false } = settings ?? {};
  const asked = (part: string): boolean => policy.some((one) => one.part === part && one.wanted);
  const on: Readonly<Record<PackageName, boolean>> = {
    'amavisd-new': spam || virus,
    'clamav-daemon': virus,
    'clamav-freshclam': virus,
    pax: spam || virus,
    'postfix-policyd-spf-python': asked('spf'),
    postgrey: asked('postgrey'),
    spamassassin: spam,
  };
  const known = installed.filter(isPackage);
  return known.length > 0 && known.every((name) => on[name]);
}

function lacking(name: PackageName, there: boolean): readonly PackageName[] {
  return there ? [] : [name];
}

/** By the gap of the chain that is their lack. */
const PACKAGES_FOR: Readonly<Record<string, readonly PackageName[]>> = {
  'security.gap.amavis.installed': ['amavisd-new'],
  'security.gap.amavis.pax': ['pax'],
  'security.gap.spamassassin.installed': ['spamassassin'],
  'security.gap.clamav.installed': ['clamav-daemon'],
  'security.gap.freshclam.installed': ['clamav-freshclam'],
  'security.gap.postgrey.installed': ['postgrey'],
  'security.gap.spf.installed': ['postfix-policyd-spf-python'],
};

/** The packages whose lack is this gap; none where it is another. */
export function packagesFor(gap: string): readonly PackageName[] {
  return PACKAGES_FOR[gap] ?? [];
}
