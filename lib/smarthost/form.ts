/** The form of the smarthost: what is typed into it, and the settings that means. The password goes its own way. */
import { isIP } from 'node:net';
import { toAsciiDomain, toUnicodeDomain } from '../domains/schema.js';
import type { Problem } from '../errors.js';
import type { SettingsForm } from '../web/settings-form.js';
import { smarthostSchema, verifies, type SmarthostSettings } from './schema.js';
import { SMARTHOST_FIELDS, smarthostWords } from './words.js';

const WHOLE_NUMBER = /^\d{1,9}$/;

/** Fields whose text is read here; what becomes of `password` says `password.ts`. */
export const TYPED_FIELDS = ['host', 'port', 'tls', 'verify', 'mx', 'username'] as const;

export const smarthostForm: SettingsForm<SmarthostSettings> = {
  feature: 'smarthost',
  fields: SMARTHOST_FIELDS,
  aids: [],
  schema: smarthostSchema,
  words: smarthostWords,
  warnings: smarthostWarnings,

  toForm: (settings) => ({
    host: toUnicodeDomain(settings.host),
    port: String(settings.port),
    tls: settings.tls,
    verify: yesOrNo(settings.verify),
    mx: yesOrNo(settings.mx),
    username: settings.username,
    // A stored password is never shown again, in no form.
    password: '',
  }),

  fromForm: (typed, current) => {
    const { tls, verify, mx, username, password } = typed;
    const host = typed['host'] === undefined ? current.host : typedHost(typed['host']);
    const login = {
      username: username ?? current.username,
      password: password ?? current.password,
    };
    return {
      ...current,
      host,
      ...(typed['port'] === undefined ? {} : { port: typedNumber(typed['port']) }),
      ...(tls === undefined ? {} : { tls }),
      ...(verify === undefined ? {} : { verify: truth(verify) }),
      ...(mx === undefined ? {} : { mx: truth(mx) }),
      // Without a server, or without a user, there is nobody to log in as.
      ...(host === '' || login.username === '' ? { username: '', password: '' } : login),
    };
  },
};

function yesOrNo(value: boolean): 'yes' | 'no' {
  return value ? 'yes' : 'no';
}

function truth(text: string): boolean | string {
  return text === 'yes' ? true : text === 'no' ? false : text;
}

function typedNumber(text: string): number | string {
  return WHOLE_NUMBER.test(text) ? Number(text) : text;
}

/** A-labels or a bare address when it is one; else as it was typed, for the schema to refuse. */
function typedHost(text: string): string {
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  return isIP(bare) === 0 ? (toAsciiDomain(text) ?? text) : bare;
}

function smarthostWarnings(settings: SmarthostSettings): readonly Problem[] {
  if (settings.host === '') return [];
  return [...portWarnings(settings), ...tlsWarnings(settings)];
}

function portWarnings({ port, tls }: SmarthostSettings): readonly Problem[] {
  const warn = (key: string): Problem[] => [
    { key: `smarthost.warning.${key}`, values: {}, field: 'port' },
  ];
  if (port === 465 && tls !== 'smtps') return warn('port465');
  if (port === 587 && tls === 'smtps') return warn('port587');
  return port === 25 && tls === 'smtps' ? warn('port25') : [];
}

function tlsWarnings(settings: SmarthostSettings): readonly Problem[] {
  const login = settings.username !== '';
  const warn = (key: string, field: string): Problem[] => [
    { key: `smarthost.warning.${key}`, values: {}, field },
  ];
  if (settings.tls === 'none') return warn(login ? 'readableLogin' : 'readable', 'tls');
  if (settings.tls === 'may') return warn('may', 'tls');
  return verifies(settings) ? [] : warn('unverified', 'verify');
}
