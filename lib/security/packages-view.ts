/** What apt would install, in words. Pure. */
import type { Formats } from '../formats.js';
import type { Translator } from '../i18n.js';
import type { Notice } from '../web/notice.js';
import { CLAMD_MEMORY_MB, MEMORY_MB, type PackageName } from './packages.js';
import type { PackagePlan, ScannerStatus } from './service.js';

const BYTES_PER_MB = 1024 * 1024;

export interface PackagesView {
  readonly sentence: string;
  /** What they take of memory while they run, and what there is; '' where that is nothing. */
  readonly memory: string;
  /** They would not fit beside what runs already. */
  readonly tooLittle: boolean;
  readonly rows: readonly {
    readonly name: string;
    readonly version: string;
    readonly download: string;
    readonly installed: string;
  }[];
}

export function viewPackages(
  t: Translator,
  format: Formats,
  asked: readonly PackageName[],
  { packages, memory }: PackagePlan,
): PackagesView {
  const sum = (of: 'download' | 'installed'): number =>
    packages.reduce((all, one) => all + one[of], 0);
  const coming = asked.filter((name) => packages.some((one) => one.name === name));
  const needed = coming.reduce((all, name) => all + (MEMORY_MB[name] ?? 0), 0) * BYTES_PER_MB;
  return {
    sentence: t('security.packages.sentence', {
      count: packages.length,
      download: format.bytes(sum('download')),
      installed: format.bytes(sum('installed')),
    }),
    memory:
      needed === 0 || memory === null
        ? ''
        : t('security.packages.memory', {
            needed: format.bytes(needed),
            total: format.bytes(memory.total),
            available: format.bytes(memory.available),
          }),
    tooLittle: memory !== null && needed > memory.available,
    rows: packages.map(({ name, version, download, installed }) => ({
      ...{ name, version },
      download: format.bytes(download),
      installed: format.bytes(installed),
    })),
  };
}

/** Said before somebody switches virus protection on where there is no room for it. */
export function memoryNotices(
  t: Translator,
  format: Formats,
  status: ScannerStatus | null,
): readonly Notice[] {
  const memory = status?.memory ?? null;
  const needed = CLAMD_MEMORY_MB * BYTES_PER_MB;
  if (status === null || memory === null || status.clamav.running || memory.available >= needed) {
    return [];
  }
  const values = {
    needed: format.bytes(needed),
    total: format.bytes(memory.total),
    available: format.bytes(memory.available),
  };
  return [
    {
      kind: 'warn',
      title: t('security.memory.title'),
      paragraphs: [t('security.memory.text', values), t('security.memory.remedy')],
    },
  ];
}
