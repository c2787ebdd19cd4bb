/** The settings of the scanners in words: keys and values, for previews, conflicts and the history. */
import { asItIs, type Words } from '../words.js';
import type { SecuritySettings } from './schema.js';

/** The settings of each page in the order of its form. */
export const SPAM_FIELDS = [
  'spam',
  'tagLevel',
  'markLevel',
  'subjectTag',
  'keepLevel',
  'networkTests',
  'scripts',
  'trustedServers',
] as const satisfies readonly (keyof SecuritySettings)[];
export const VIRUS_FIELDS = [
  'virus',
  'place',
  'whileDown',
  'archives',
  'largestObjectMb',
  'alertAddress',
] as const satisfies readonly (keyof SecuritySettings)[];
export const SECURITY_FIELDS = [...SPAM_FIELDS, ...VIRUS_FIELDS] as const;

/** What one setting says. */
export function securityWords(field: keyof SecuritySettings, settings: SecuritySettings): Words {
  switch (field) {
    case 'spam':
    case 'virus':
    case 'networkTests':
    case 'archives':
      return { key: `security.value.${settings[field] ? 'on' : 'off'}`, values: {} };
    case 'tagLevel':
    case 'markLevel':
      return { key: 'security.value.score', values: { score: settings[field] } };
    case 'keepLevel':
      return settings.keepLevel === null
        ? { key: 'security.value.never', values: {} }
        : { key: 'security.value.score', values: { score: settings.keepLevel } };
    case 'subjectTag':
    case 'alertAddress':
      return settings[field] === ''
        ? { key: 'security.value.none', values: {} }
        : asItIs(settings[field]);
    case 'scripts':
    case 'whileDown':
    case 'place':
      return { key: `security.value.${field}.${settings[field]}`, values: {} };
    case 'trustedServers':
      return settings.trustedServers.length === 0
        ? { key: 'security.value.none', values: {} }
        : asItIs(settings.trustedServers.join(' '));
    case 'largestObjectMb':
      return { key: 'security.value.megabytes', values: { size: settings.largestObjectMb } };
  }
}

/** The history's sentence: what was switched when that is what changed, else how many settings. */
export function securityTitle(before: SecuritySettings | null, after: SecuritySettings): Words {
  const text = (settings: SecuritySettings, field: keyof SecuritySettings): string =>
    JSON.stringify(settings[field]);
  const changed = SECURITY_FIELDS.filter(
    (field) => before === null || text(before, field) !== text(after, field),
  );
  for (const part of ['spam', 'virus'] as const) {
    if ((before?.[part] ?? false) !== after[part]) {
      return { key: `security.change.${part}`, values: { after: after[part] ? 'on' : 'off' } };
    }
  }
  return { key: 'security.change.several', values: { count: changed.length } };
}
