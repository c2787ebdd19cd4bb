/**
 * The settings of Base configuration in words: keys and values, for previews, conflicts and the history.
 */
import type { MessageValues } from '../errors.js';
import { toUnicodeDomain } from '../domains/schema.js';
import { asItIs, type Words } from '../words.js';
import type { BaseSettings } from './schema.js';

/** The settings in the order of the form. */
export const BASE_FIELDS = [
  'mailServerName',
  'maxMessageSizeMb',
  'delivery',
  'mailboxFormat',
  'lmtpHost',
  'lmtpPort',
  'unknownRecipient',
] as const satisfies readonly (keyof BaseSettings)[];

/** What one setting says, such as “25 MB” or “no limit”. */
export function baseWords(field: keyof BaseSettings, settings: BaseSettings): Words {
  switch (field) {
    case 'mailServerName':
      return settings.mailServerName === ''
        ? { key: 'base.value.ownName', values: {} }
        : asItIs(toUnicodeDomain(settings.mailServerName));
    case 'maxMessageSizeMb':
      return settings.maxMessageSizeMb === null
        ? { key: 'base.value.unlimited', values: {} }
        : { key: 'base.value.megabytes', values: { size: settings.maxMessageSizeMb } };
    case 'delivery':
      return { key: `base.value.delivery.${settings.delivery}`, values: {} };
    case 'mailboxFormat':
      return { key: `base.value.mailboxFormat.${settings.mailboxFormat}`, values: {} };
    case 'lmtpHost':
      return asItIs(settings.lmtpHost);
    case 'lmtpPort':
      return asItIs(String(settings.lmtpPort));
    case 'unknownRecipient':
      return { key: `base.value.unknownRecipient.${settings.unknownRecipient}`, values: {} };
  }
}

/** The history's sentence: the setting's name when it is one, their number when there are several. */
export function baseTitle(before: BaseSettings | null, after: BaseSettings): Words {
  const changed = BASE_FIELDS.filter((field) => before?.[field] !== after[field]);
  const [only] = changed;
  if (before === null || only === undefined) return { key: 'base.change.first', values: {} };
  if (changed.length > 1) return { key: 'base.change.several', values: { count: changed.length } };
  return { key: `base.change.${only}`, values: titleValues(only, after) };
}

/** Values that a message in any language can choose its words by. */
function titleValues(field: keyof BaseSettings, after: BaseSettings): MessageValues {
  const value = after[field];
  return { after: value === '' || value === null ? '_none' : value };
}
