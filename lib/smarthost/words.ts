/** The settings of the smarthost in words: keys and values, for previews, conflicts and the history. */
import { toUnicodeDomain } from '../domains/schema.js';
import { asItIs, type Words } from '../words.js';
import { verifies, type SmarthostSettings } from './schema.js';

/** The settings in the order of the form. */
export const SMARTHOST_FIELDS = [
  'host',
  'port',
  'tls',
  'verify',
  'mx',
  'username',
  'password',
] as const satisfies readonly (keyof SmarthostSettings)[];

/** What one setting says. Of a password only whether there is one. */
export function smarthostWords(field: keyof SmarthostSettings, settings: SmarthostSettings): Words {
  switch (field) {
    case 'host':
      return settings.host === ''
        ? { key: 'smarthost.value.direct', values: {} }
        : asItIs(toUnicodeDomain(settings.host));
    case 'port':
      return asItIs(String(settings.port));
    case 'tls':
      return { key: `smarthost.value.tls.${settings.tls}`, values: {} };
    case 'verify':
      return { key: `smarthost.value.verify.${verifies(settings) ? 'yes' : 'no'}`, values: {} };
    case 'mx':
      return { key: `smarthost.value.mx.${settings.mx ? 'yes' : 'no'}`, values: {} };
    case 'username':
      return settings.username === ''
        ? { key: 'smarthost.value.noLogin', values: {} }
        : asItIs(settings.username);
    case 'password':
      return {
        key: `smarthost.value.password.${settings.password === '' ? 'none' : 'set'}`,
        values: {},
      };
  }
}

/** The history's sentence. */
export function smarthostTitle(before: SmarthostSettings | null, after: SmarthostSettings): Words {
  const values = { host: toUnicodeDomain(after.host) };
  if (before === null) return { key: 'smarthost.change.first', values: {} };
  if (after.host === '') return { key: 'smarthost.change.removed', values: {} };
  if (before.host !== after.host) return { key: 'smarthost.change.host', values };
  if (after.username === '' && before.username !== '') {
    return { key: 'smarthost.change.loginRemoved', values };
  }
  const changed = SMARTHOST_FIELDS.filter((field) => before[field] !== after[field]);
  return changed.length === 1 && changed[0] === 'password'
    ? { key: 'smarthost.change.password', values }
    : { key: 'smarthost.change.other', values };
}
