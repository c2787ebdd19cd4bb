/** The forms of spam and virus protection: what is typed into them, and the settings that means. */
import type { Problem } from '../errors.js';
import { formatNetwork, parseNetwork } from '../relay-subnets/network.js';
import type { FieldValues } from '../web/fields.js';
import type { SettingsForm } from '../web/settings-form.js';
import { securitySchema, type SecuritySettings } from './schema.js';
import { securityWords, SPAM_FIELDS, VIRUS_FIELDS } from './words.js';

const SCORE = /^-?\d{1,4}(?:[.,]\d{1,4})?$/;
const WHOLE_NUMBER = /^\d{1,6}$/;
/** Below this score mail of people is found among what is kept back. */
const LOW_KEEP_LEVEL = 8;

const COMMON = {
  feature: 'security',
  aids: [],
  schema: securitySchema,
  words: securityWords,
  toForm,
  fromForm,
} as const;

export const spamForm: SettingsForm<SecuritySettings> = {
  ...COMMON,
  fields: SPAM_FIELDS,
  warnings: ({ spam, keepLevel, networkTests }) => {
    const warnings: Problem[] = [];
    if (!spam) return warnings;
    if (keepLevel !== null && keepLevel < LOW_KEEP_LEVEL) {
      const key = 'security.warning.keepLevel';
      warnings.push({ key, values: { score: keepLevel }, field: 'keepLevel' });
    }
    if (!networkTests) {
      warnings.push({ key: 'security.warning.networkTests', values: {}, field: 'networkTests' });
    }
    return warnings;
  },
};

export const virusForm: SettingsForm<SecuritySettings> = {
  ...COMMON,
  fields: VIRUS_FIELDS,
  warnings: ({ virus, whileDown, archives }) => {
    const warnings: Problem[] = [];
    if (!virus) return warnings;
    if (whileDown === 'pass') {
      warnings.push({ key: 'security.warning.whileDown', values: {}, field: 'whileDown' });
    }
    if (!archives) {
      warnings.push({ key: 'security.warning.archives', values: {}, field: 'archives' });
    }
    return warnings;
  },
};

function toForm(settings: SecuritySettings): FieldValues {
  return {
    spam: yesOrNo(settings.spam),
    tagLevel: String(settings.tagLevel),
    markLevel: String(settings.markLevel),
    keepLevel: settings.keepLevel === null ? '' : String(settings.keepLevel),
    subjectTag: settings.subjectTag,
    networkTests: yesOrNo(settings.networkTests),
    scripts: settings.scripts,
    trustedServers: settings.trustedServers.join(' '),
    virus: yesOrNo(settings.virus),
    archives: yesOrNo(settings.archives),
    largestObjectMb: String(settings.largestObjectMb),
    alertAddress: settings.alertAddress,
    whileDown: settings.whileDown,
    place: settings.place,
  };
}

function fromForm(typed: FieldValues, current: SecuritySettings): unknown {
  const meant: Record<string, unknown> = { ...current };
  for (const [field, text] of Object.entries(typed)) meant[field] = meaningOf(field, text);
  return meant;
}

/** As typed, where it means nothing: the schema refuses it. */
function meaningOf(field: string, text: string): unknown {
  switch (field) {
    case 'spam':
    case 'virus':
    case 'networkTests':
    case 'archives':
      return text === 'yes' ? true : text === 'no' ? false : text;
    case 'keepLevel':
      return text === '' ? null : scoreOf(text);
    case 'tagLevel':
    case 'markLevel':
      return scoreOf(text);
    case 'largestObjectMb':
      return WHOLE_NUMBER.test(text) ? Number(text) : text;
    case 'trustedServers':
      return [...new Set(text.split(/[\s,;]+/).filter((word) => word !== ''))].map(networkOf);
    case 'alertAddress':
      return text.toLowerCase() === text ? text : text.replace(/@.*$/, (end) => end.toLowerCase());
    default:
      return text;
  }
}

function scoreOf(text: string): number | string {
  return SCORE.test(text) ? Number(text.replace(',', '.')) : text;
}

function networkOf(word: string): string {
  const parsed = parseNetwork(word);
  return 'network' in parsed ? formatNetwork(parsed.network) : word;
}

function yesOrNo(value: boolean): 'yes' | 'no' {
  return value ? 'yes' : 'no';
}
