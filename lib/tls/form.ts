/** The form of encryption and login: what is chosen in it, and the settings that means. */
import type { Problem } from '../errors.js';
import type { SettingsForm } from '../web/settings-form.js';
import { tlsSchema, type TlsSettings } from './schema.js';
import { TLS_FIELDS, tlsWords } from './words.js';

export const tlsForm: SettingsForm<TlsSettings> = {
  feature: 'tls',
  fields: TLS_FIELDS,
  aids: [],
  schema: tlsSchema,
  words: tlsWords,
  warnings: tlsWarnings,

  toForm: (settings) => ({
    incoming: settings.incoming,
    outgoing: settings.outgoing,
    certificate: settings.certificate,
    submission: yesOrNo(settings.submission),
    submissions: yesOrNo(settings.submissions),
  }),

  fromForm: (typed, current) => ({
    ...current,
    ...(typed['incoming'] === undefined ? {} : { incoming: typed['incoming'] }),
    ...(typed['outgoing'] === undefined ? {} : { outgoing: typed['outgoing'] }),
    ...(typed['certificate'] === undefined ? {} : { certificate: typed['certificate'] }),
    ...(typed['submission'] === undefined ? {} : { submission: truth(typed['submission']) }),
    ...(typed['submissions'] === undefined ? {} : { submissions: truth(typed['submissions']) }),
  }),
};

function yesOrNo(value: boolean): 'yes' | 'no' {
  return value ? 'yes' : 'no';
}

function truth(text: string): boolean | string {
  return text === 'yes' ? true : text === 'no' ? false : text;
}

/** `may` is what the whole world does (RFC 7435); both other levels have a price. */
function tlsWarnings({ incoming, outgoing }: TlsSettings): readonly Problem[] {
  const levels = { incoming, outgoing };
  return Object.entries(levels)
    .filter(([, level]) => level !== 'may')
    .map(([field, level]) => ({ key: `tls.warning.${field}.${level}`, values: {}, field }));
}
