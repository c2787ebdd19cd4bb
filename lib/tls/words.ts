/** The settings of encryption and login in words: keys and values, for previews, conflicts and the history. */
import { asItIs, type Words } from '../words.js';
import type { TlsSettings } from './schema.js';

/** The settings in the order of the form. */
export const TLS_FIELDS = [
  'incoming',
  'outgoing',
  'certificate',
  'submission',
  'submissions',
] as const satisfies readonly (keyof TlsSettings)[];

/** What one setting says. A certificate goes by its id. */
export function tlsWords(field: keyof TlsSettings, settings: TlsSettings): Words {
  switch (field) {
    case 'incoming':
    case 'outgoing':
      return { key: `tls.value.level.${settings[field]}`, values: {} };
    case 'certificate':
      return settings.certificate === ''
        ? { key: 'tls.value.ownCertificate', values: {} }
        : asItIs(settings.certificate);
    case 'submission':
    case 'submissions':
      return { key: `tls.value.port.${settings[field] ? 'on' : 'off'}`, values: {} };
  }
}

/** The history's sentence: what changed when it is one thing, their number when there are several. */
export function tlsTitle(before: TlsSettings | null, after: TlsSettings): Words {
  const changed = TLS_FIELDS.filter((field) => before?.[field] !== after[field]);
  const [only] = changed;
  if (before === null || only === undefined) return { key: 'tls.change.first', values: {} };
  if (changed.length > 1) return { key: 'tls.change.several', values: { count: changed.length } };
  const value = after[only];
  const words = typeof value === 'boolean' ? (value ? 'on' : 'off') : value || '_own';
  return { key: `tls.change.${only}`, values: { after: words } };
}
