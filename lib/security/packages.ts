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

/** What spam protection, virus protection and the policy server lack. */
export function missingPackages({
  amavis,
  spamassassin,
  clamav,
  freshclam,
  policy,
}: ScannerStatus): {
  readonly spam: readonly PackageName[];
  readonly virus: readonly PackageName[];
  readonly policy: readonly PackageName[];
} {
  const lacking = (name: PackageName, there: boolean): readonly PackageName[] =>
    there ? [] : [name];
  const both = [...lacking('amavisd-new', amavis.installed), ...lacking('pax', amavis.pax)];
  const has = (part: ScannerStatus['policy'][number]['part']): boolean =>
    policy.find((one) => one.part === part)?.installed ?? true;
  return {
    spam: [...both, ...lacking('spamassassin', spamassassin.installed)],
    virus: [
      ...both,
      ...lacking('clamav-daemon', clamav.installed),
      ...lacking('clamav-freshclam', freshclam.installed),
    ],
    policy: [
      ...lacking('postgrey', has('postgrey')),
      ...lacking('postfix-policyd-spf-python', has('spf')),
    ],
  };
}

/** The packages whose lack is this gap; none where it is another. */
export function packagesFor(key: string, status: ScannerStatus): readonly PackageName[] {
  const { spam, virus, policy } = missingPackages(status);
  const named: Readonly<Record<string, readonly PackageName[]>> = {
    'amavis.installed': ['amavisd-new'],
    'amavis.pax': ['pax'],
    'spamassassin.installed': ['spamassassin'],
    'clamav.installed': ['clamav-daemon'],
    'freshclam.installed': ['clamav-freshclam'],
    'postgrey.installed': ['postgrey'],
    'spf.installed': ['postfix-policyd-spf-python'],
  };
  const wanted = named[key.replace(/^security\.gap\./, '')] ?? [];
  return wanted.filter((name) => [...spam, ...virus, ...policy].includes(name));
}
